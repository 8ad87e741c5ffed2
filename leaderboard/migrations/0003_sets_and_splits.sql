-- Values of all pairs as one set (their rows have no pair), how many frames a row speaks of, and the split that was run.

ALTER TABLE samples ALTER COLUMN pair_id DROP NOT NULL;
ALTER TABLE samples ALTER COLUMN person DROP NOT NULL;
ALTER TABLE samples ADD COLUMN n INTEGER DEFAULT 1;
ALTER TABLE runs ADD COLUMN split VARCHAR;       -- NULL: pairs were made of all clips

-- A view keeps the columns that its tables had when it was made.
CREATE OR REPLACE VIEW latest_runs AS
SELECT * FROM runs
QUALIFY row_number() OVER (
    PARTITION BY source, task, protocol, dataset, dataset_fingerprint, suite, pair_list_sha256, n_pairs, size,
                 frames_per_clip, kind, model, preset, weights_sha256
    ORDER BY created DESC, run_id DESC
) = 1;

CREATE OR REPLACE VIEW standings AS
SELECT latest_runs.* EXCLUDE (record, record_sha256), metrics.* EXCLUDE (run_id), scores.* EXCLUDE (run_id, metric)
FROM latest_runs JOIN metrics USING (run_id) JOIN scores USING (run_id, metric);
