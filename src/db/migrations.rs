//! The schema, step by step. A file in `migrations/` is a row here; a test holds the two together.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

macro_rules! migrations {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../migrations/", $file)))),*]
    };
}

/// In order; a number that was ever released is never edited.
const FILES: &[(&str, &str)] = migrations![
    "0001_audit.sql",
    "0002_accounts.sql",
    "0003_jobs.sql",
    "0004_mirror.sql",
    "0005_observations.sql",
    "0006_dav.sql",
    "0007_known_addresses.sql",
    "0008_dav_bounds.sql",
    "0009_runs.sql",
    "0010_dry_runs.sql",
    "0012_charsets.sql",
    "0013_proof.sql",
    "0014_heat.sql",
    "0016_surveys.sql",
    "0017_links.sql",
    "0018_manners.sql",
    "0019_uploads.sql",
    "0020_digests.sql",
    "0021_clocks.sql",
    "0022_second_factors.sql",
    "0023_required_factors.sql",
    "0024_certificate_authorities.sql",
    "0025_quotas.sql",
    "0026_app_passwords.sql",
    "0027_digests.sql",
    "0028_resumable.sql",
    "0029_trash.sql",
    "0030_shares.sql",
    "0031_observed_details.sql",
    "0032_rollups.sql",
    "0033_share_visits.sql",
    "0034_probes.sql",
    "0035_diagnoses.sql",
    "0036_incidents.sql",
    "0037_alarms.sql",
    "0038_remedies.sql",
    "0039_share_room.sql",
    "0040_basis.sql",
];

/// The steps as sqlx runs them. Its own macro would compile SQLite a second time, for the compiler.
pub(super) fn migrator() -> Migrator {
    let steps = FILES.iter().filter_map(|(file, sql)| {
        let (number, name) = file.strip_suffix(".sql")?.split_once('_')?;
        let sql = AssertSqlSafe(*sql).into_sql_str();
        Some(Migration::new(number.parse().ok()?, name.to_owned().into(), MigrationType::Simple, sql, false))
    });
    Migrator::with_migrations(steps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_row() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut on_disk: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        on_disk.sort();
        assert_eq!(on_disk, FILES.iter().map(|(file, _)| *file).collect::<Vec<_>>());
        assert_eq!(migrator().iter().count(), FILES.len());
    }

    #[tokio::test]
    async fn a_step_that_came_later_with_a_lower_number_is_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("causeway.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let without = migrator().iter().filter(|step| step.version != 29).cloned().collect();
        Migrator::with_migrations(without).run(&pool).await.unwrap();
        let tables = || {
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM sqlite_schema WHERE name = 'trashed'").fetch_one(&pool)
        };
        assert_eq!(tables().await.unwrap(), 0);
        migrator().run(&pool).await.unwrap();
        assert_eq!(tables().await.unwrap(), 1);
    }
}
