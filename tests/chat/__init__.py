"""The chat page; a package, so that browser and page end with its last test."""
