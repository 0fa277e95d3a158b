//! What `mesh bench` measures between endpoints of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One transport in one cipher set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BenchRow {
    pub(crate) transport: String,
    pub(crate) cipher_set: String,
    /// Of one stream.
    pub(crate) megabytes_per_second: f64,
    /// Of both ends together, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cpu_seconds_per_gigabyte: Option<f64>,
    pub(crate) ping_p50_us: f64,
    pub(crate) ping_p99_us: f64,
    pub(crate) set_ups_per_second: f64,
    /// The table begins with it.
    #[serde(skip)]
    pub(crate) first: bool,
}

impl fmt::Display for BenchRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first {
            writeln!(
                f,
                "transport  set      MB/s  cpu-s/GB  ping p50 us  ping p99 us  set-ups/s"
            )?;
        }
        let cpu = self.cpu_seconds_per_gigabyte;
        let cpu = cpu.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
        write!(
            f,
            "{:<9}  {:<3}  {:>8.1}  {cpu:>8}  {:>11.0}  {:>11.0}  {:>9.0}",
            self.transport,
            self.cipher_set,
            self.megabytes_per_second,
            self.ping_p50_us,
            self.ping_p99_us,
            self.set_ups_per_second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_make_a_table() {
        let row = BenchRow {
            transport: "quic".into(),
            cipher_set: "3a".into(),
            megabytes_per_second: 1234.56,
            cpu_seconds_per_gigabyte: Some(2.5),
            ping_p50_us: 17.6,
            ping_p99_us: 1234.0,
            set_ups_per_second: 890.2,
            first: true,
        };
        let other = BenchRow {
            cpu_seconds_per_gigabyte: None,
            first: false,
            ..row.clone()
        };
        let table = format!("{row}\n{other}");
        let widths: Vec<_> = table.lines().map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
        assert_eq!(widths.len(), 3, "{table}");
    }
}
