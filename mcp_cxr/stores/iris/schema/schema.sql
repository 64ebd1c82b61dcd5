-- The side tables of an archive in IRIS, schema version 1. {table} is the table they belong to. Each statement is run
-- and committed on its own, and may be run again: an existing table answers -201, an existing index -324.
-- No comment contains a semicolon, which ends a statement here.

-- Every known study. DocLength is the number of terms of its document, and NULL if it has no image or only external ones:
-- the figures of BM25 are counted over it. DocHash shows whether the postings are up to date.
CREATE TABLE {table}Studies (
    StudyID VARCHAR(255) %EXACT PRIMARY KEY,
    SubjectID VARCHAR(255) %EXACT,
    StudyDate VARCHAR(32) %EXACT,
    DataSplit VARCHAR(255) %EXACT,
    Report VARCHAR(3000000) %EXACT,
    Labels VARCHAR(65535) %EXACT,
    LabelsBy VARCHAR(32) %EXACT,
    PositivesOnly INTEGER,
    Sex VARCHAR(8) %EXACT,
    Age INTEGER,
    ReportLanguage VARCHAR(8) %EXACT,
    DocLength INTEGER,
    DocHash VARCHAR(64) %EXACT,
    UpdatedAt TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX BySubject ON TABLE {table}Studies (SubjectID);
CREATE INDEX ByDate ON TABLE {table}Studies (StudyDate);
CREATE INDEX ByLength ON TABLE {table}Studies (DocLength);

-- The labels again, one row each, for filters and totals.
CREATE TABLE {table}Labels (
    StudyID VARCHAR(255) %EXACT NOT NULL,
    LabelName VARCHAR(100) %EXACT NOT NULL,
    LabelValue INTEGER NOT NULL,
    PRIMARY KEY (StudyID, LabelName)
);
CREATE INDEX ByLabel ON TABLE {table}Labels (LabelName, LabelValue);

-- How often a term occurs in a study's document.
CREATE TABLE {table}Terms (
    Term VARCHAR(100) %EXACT NOT NULL,
    StudyID VARCHAR(255) %EXACT NOT NULL,
    Occurrences INTEGER NOT NULL,
    PRIMARY KEY (Term, StudyID)
);
CREATE INDEX ByStudy ON TABLE {table}Terms (StudyID);

-- The number by which an image is drawn into the reference sample, and a checksum of its id and vector: the sum over the
-- sample shows whether a sample that was read is still current.
CREATE TABLE {table}Sample (
    ImageID VARCHAR(255) %EXACT PRIMARY KEY,
    SampleKey BIGINT NOT NULL,
    VectorMark BIGINT NOT NULL
);
CREATE INDEX ByKey ON TABLE {table}Sample (SampleKey);

-- The outcome of every file that was ingested. PathKey is a hash of the path.
CREATE TABLE {table}Files (
    PathKey VARCHAR(64) %EXACT PRIMARY KEY,
    FilePath VARCHAR(32000) %EXACT NOT NULL,
    FileSize BIGINT NOT NULL,
    ModifiedNs BIGINT NOT NULL,
    ImageID VARCHAR(255) %EXACT,
    Reason VARCHAR(1000) %EXACT
);
CREATE INDEX ByImage ON TABLE {table}Files (ImageID)
