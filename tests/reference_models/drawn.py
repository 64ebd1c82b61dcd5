"""The inputs of the reference vectors: 24 drawings of odd shapes and 20 texts. Needs numpy alone."""

from __future__ import annotations

import numpy as np

SHAPES = ((48, 48), (97, 61), (64, 200), (301, 299), (240, 180), (33, 500), (128, 128), (411, 77))
TEXTS = (
    "left pleural effusion",
    "No acute cardiopulmonary process.",
    "  Small RIGHT apical pneumothorax;\n chest tube in place  ",
    "The heart is enlarged.  There is mild pulmonary edema (unchanged).",
    "pacemaker with leads in the right atrium and the right ventricle",
    "Endotracheal tube 4.5 cm above the carina; NG tube below the diaphragm",
    "AP portable view: low lung volumes, bibasilar atelectasis",
    "cardiomegaly",
    "Normal.",
    "1.2 x 3.4-cm nodule in the left upper lobe, re-imaging in 6 months' time",
    "There's no pleural effusion / pneumothorax!",
    "FINDINGS:\tPICC tip in the SVC\nIMPRESSION: unchanged",
    "d\u00e9bris na\u00efve \u00b5g 37\u00b0C \u2014 non-ASCII",
    "hilar_contours ___ are [normal] & stable",
    "1234567890",
    "?!",
    "multifocal opacities, likely pneumonia; follow-up to resolution is recommended",
    "The cardiac silhouette is normal and the mediastinal contours are stable. " * 6,
    "Bibasilar atelectasis, otherwise the lungs are clear and there is no pleural effusion or pneumothorax. " * 8,
    "rib fracture, healed; degenerative changes of the thoracic spine with mild scoliosis to the left",
)


def drawn_images() -> list[np.ndarray]:
    """Return 24 drawings, uint8, three of each shape."""
    rng = np.random.default_rng(20)
    images = []
    for rows, columns in SHAPES * 3:
        down, across = np.mgrid[0:rows, 0:columns].astype(np.float64)
        down, across = down / rows, across / columns
        image = 30 + 120 * (down * rng.random() + across * rng.random()) + rng.normal(0, 6, (rows, columns))
        for _ in range(4):
            y, x, radius, gain = rng.random(4)
            image += (200 * gain - 60) * np.exp(-((down - y) ** 2 + (across - x) ** 2) / (0.002 + 0.05 * radius**2))
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images
