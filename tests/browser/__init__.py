"""The viewer page in a browser; a package, so that browser and server end with its last test."""
