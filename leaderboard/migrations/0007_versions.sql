-- Models, datasets and protocols as runs speak of them; which version of a protocol a newer one has taken the place of.

CREATE VIEW models AS
SELECT model, preset, kind, weights_sha256, any_value(resolution) AS resolution, any_value(parameters) AS parameters,
       any_value(paper) AS paper, any_value(licence) AS licence, count(*) AS n_runs, max(created) AS last_run
FROM runs GROUP BY model, preset, kind, weights_sha256;

CREATE VIEW datasets AS
SELECT dataset, dataset_fingerprint, any_value(n_clips) AS n_clips, count(*) AS n_runs, max(created) AS last_run
FROM runs GROUP BY dataset, dataset_fingerprint;

-- Values of an older version stay and are shown as such: no row is ever taken out.
CREATE VIEW protocols AS
WITH known AS (
    SELECT protocol, task, try_cast(regexp_extract(protocol, '@([0-9]+)$', 1) AS INTEGER) AS version,
           count(*) AS n_runs, max(created) AS last_run
    FROM runs GROUP BY protocol, task
)
SELECT *, nullif(arg_max(protocol, version) OVER (PARTITION BY task), protocol) AS superseded_by FROM known;

CREATE VIEW all_standings AS
SELECT runs.* EXCLUDE (record, record_sha256), metrics.* EXCLUDE (run_id), scores.* EXCLUDE (run_id, metric),
       protocols.superseded_by, runs.run_id IN (SELECT run_id FROM latest_runs) AS latest
FROM runs JOIN metrics USING (run_id) JOIN scores USING (run_id, metric) JOIN protocols USING (protocol, task);

CREATE OR REPLACE VIEW standings AS SELECT * EXCLUDE (latest) FROM all_standings WHERE latest;

ALTER TABLE evaluators ADD COLUMN source VARCHAR DEFAULT '';  -- where the weights were published; '': not recorded
ALTER TABLE evaluators ADD COLUMN bytes BIGINT DEFAULT 0;     -- of the weights file; 0: not recorded
