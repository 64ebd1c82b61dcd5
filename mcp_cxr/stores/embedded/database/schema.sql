-- The embedded store, schema version 3. Created in one transaction. Any change to it is a new version. A change to the
-- terms that `language.document_terms` makes of a report is a new `READER_VERSION`, and archives are brought forward.
-- A semicolon ends a statement here, also in a comment.

CREATE TABLE collection (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE roots (
    number INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
);

-- Filters are arrays by study number, which is limited for that reason.
CREATE TABLE studies (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 99999999),
    study_id TEXT NOT NULL UNIQUE,
    subject_id TEXT NOT NULL,
    study_date TEXT,
    split TEXT,
    report TEXT,
    labels_by TEXT,
    positives_only INTEGER,
    sex TEXT,
    age INTEGER,
    report_language TEXT
);
CREATE INDEX studies_by_subject ON studies (subject_id);
CREATE INDEX studies_by_date ON studies (study_date);
CREATE INDEX studies_by_split ON studies (split);
CREATE INDEX studies_with_report ON studies (number) WHERE report IS NOT NULL;
CREATE INDEX studies_of_positives ON studies (number) WHERE positives_only;
CREATE INDEX studies_by_sex ON studies (sex) WHERE sex IS NOT NULL;
CREATE INDEX studies_by_age ON studies (age) WHERE age IS NOT NULL;

CREATE TABLE labels (
    study INTEGER NOT NULL REFERENCES studies (number) ON DELETE CASCADE,
    label TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (study, label)
) WITHOUT ROWID;
CREATE INDEX labels_by_value ON labels (label, value);

-- AUTOINCREMENT: a slot is never reused, so values cached by slot can be stale but never wrong. A replaced image gets a
-- new slot. made_by is the model that made the vector, and NULL in external rows, which another program wrote: the
-- defaults let such a program leave out columns. An external image may have no study.
CREATE TABLE images (
    slot INTEGER PRIMARY KEY AUTOINCREMENT,
    image_id TEXT NOT NULL UNIQUE,
    study_id TEXT NOT NULL DEFAULT '',
    subject_id TEXT NOT NULL DEFAULT '',
    view_position TEXT NOT NULL DEFAULT 'UNKNOWN',
    image_path TEXT NOT NULL DEFAULT '',
    root TEXT NOT NULL DEFAULT '',
    metadata TEXT,
    sample_key INTEGER,
    made_by TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX images_by_study ON images (study_id, subject_id, made_by);
CREATE INDEX images_by_subject ON images (subject_id);
CREATE INDEX images_by_view ON images (view_position);
-- The lowest eighth of the keys, which are evenly distributed: the others would be written and never read.
CREATE INDEX images_by_sample_key ON images (sample_key) WHERE sample_key < 1152921504606846976;
CREATE INDEX images_foreign ON images (image_id) WHERE made_by IS NULL;

-- Apart from images, so that queries on other columns read no vectors. float32, little-endian, unit length.
CREATE TABLE vectors (
    slot INTEGER PRIMARY KEY REFERENCES images (slot) ON DELETE CASCADE,
    vector BLOB NOT NULL
);

-- The document of each study that has an image, external ones left out: its search terms, made in Python, of a-z and 0-9.
-- A changed document gets a new number, as a replaced image gets a new slot: an index by number can lag, never be wrong.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    study INTEGER NOT NULL UNIQUE,
    terms TEXT NOT NULL
);

-- The inverted index of the documents, in blocks of 1,024, see fulltext/_postings.py. uint32, little-endian.
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    studies BLOB NOT NULL,
    lengths BLOB NOT NULL
);
-- The rows of a block are adjacent: their numbers begin with its number.
CREATE TABLE postings (
    number INTEGER PRIMARY KEY,
    term TEXT NOT NULL,
    block INTEGER NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (term, block)
);

-- The outcome of every file that was ingested or refused.
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    image_id TEXT,
    reason TEXT
) WITHOUT ROWID;
CREATE INDEX files_by_image ON files (image_id);

-- One row of counters, by which the int8 copy beside this file and cached results detect changes. Slots are ascending, so
-- that new images show in sqlite_sequence. Triggers count the changes of other programs too.
CREATE TABLE changes (
    identity TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))),
    removed INTEGER NOT NULL DEFAULT 0,
    rewritten INTEGER NOT NULL DEFAULT 0,
    facts INTEGER NOT NULL DEFAULT 0
);
INSERT INTO changes DEFAULT VALUES;
CREATE TRIGGER image_removed AFTER DELETE ON images BEGIN UPDATE changes SET removed = removed + 1; END;
CREATE TRIGGER image_rewritten AFTER UPDATE ON images BEGIN UPDATE changes SET rewritten = rewritten + 1; END;
CREATE TRIGGER vector_rewritten AFTER UPDATE ON vectors BEGIN UPDATE changes SET rewritten = rewritten + 1; END;
CREATE TRIGGER study_made AFTER INSERT ON studies BEGIN UPDATE changes SET facts = facts + 1; END;
CREATE TRIGGER study_rewritten AFTER UPDATE ON studies BEGIN UPDATE changes SET facts = facts + 1; END;
CREATE TRIGGER study_removed AFTER DELETE ON studies BEGIN UPDATE changes SET facts = facts + 1; END;
CREATE TRIGGER study_found AFTER INSERT ON studies WHEN EXISTS (SELECT 1 FROM images WHERE study_id = new.study_id)
BEGIN UPDATE changes SET rewritten = rewritten + 1; END;
CREATE TRIGGER study_renamed AFTER UPDATE OF number, study_id ON studies
WHEN old.number <> new.number OR old.study_id <> new.study_id
BEGIN UPDATE changes SET rewritten = rewritten + 1; END;
CREATE TRIGGER study_lost AFTER DELETE ON studies WHEN EXISTS (SELECT 1 FROM images WHERE study_id = old.study_id)
BEGIN UPDATE changes SET rewritten = rewritten + 1; END;
CREATE TRIGGER label_made AFTER INSERT ON labels BEGIN UPDATE changes SET facts = facts + 1; END;
CREATE TRIGGER label_rewritten AFTER UPDATE ON labels BEGIN UPDATE changes SET facts = facts + 1; END;
CREATE TRIGGER label_removed AFTER DELETE ON labels BEGIN UPDATE changes SET facts = facts + 1; END;

PRAGMA user_version = 3;
