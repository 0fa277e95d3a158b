//! The table of `docs/limits.md`.

use super::sources::Sources;

/// A row: `` | `crate::NAME` | `value` unit | what happens at it | `test` | ``. Where a crate has two of that name, modules
/// stand between.
struct Row<'a> {
    constant: &'a str,
    value: &'a str,
    behaviour: &'a str,
    test: &'a str,
}

/// One sentence for each limit without a row, each row without a limit, and each row that is untrue.
pub(super) fn faults(page: &str, sources: &Sources) -> Vec<String> {
    let rows: Vec<Row<'_>> = page.lines().filter_map(Row::parse).collect();
    let mut faults: Vec<String> = rows.iter().filter_map(|row| row.fault(sources)).collect();
    for limit in sources.limits() {
        let described = |row: &Row<'_>| sources.constant(row.constant) == Some(limit);
        if !rows.iter().any(described) {
            faults.push(format!("{} has no row", limit.path()));
        }
    }
    faults
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line
            .strip_prefix('|')?
            .strip_suffix('|')?
            .split(" | ")
            .map(str::trim)
            .collect();
        let [constant, value, behaviour, test] = cells[..] else {
            return None;
        };
        let constant = code(constant)?;
        constant.contains("::").then_some(Self {
            constant,
            value,
            behaviour,
            test,
        })
    }

    fn fault(&self, sources: &Sources) -> Option<String> {
        let Self {
            constant,
            value,
            behaviour,
            test,
        } = self;
        let Some(found) = sources.constant(constant) else {
            return Some(format!(
                "the row of {constant} describes no constant, or more than one"
            ));
        };
        if code(value) != Some(found.value.as_str()) {
            return Some(format!(
                "{constant} is `{}`, its row says {value}",
                found.value
            ));
        }
        if behaviour.is_empty() {
            return Some(format!(
                "the row of {constant} does not say what happens at it"
            ));
        }
        match code(test) {
            Some(name) if sources.has_test(name) => None,
            _ => Some(format!(
                "the row of {constant} names no test of the tree: {test}"
            )),
        }
    }
}

/// What the first pair of backticks encloses.
fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}
