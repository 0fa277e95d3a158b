//! The table of `docs/limits.md`.

use super::sources::Sources;

/// A row: `` | `crate::NAME` | `value` unit | what happens at it | `test` | ``. Where a crate has two of that name, modules
/// stand between. The test mentions the constant; where it does not, the row says after the test's name why.
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
        let Some(body) = code(test).and_then(|name| sources.test(name)) else {
            return Some(format!(
                "the row of {constant} names no test of the tree: {test}"
            ));
        };
        (!mentions(body, &found.name) && reason(test).is_none()).then(|| {
            format!("the test of {constant} does not mention it, and its row does not say why")
        })
    }
}

/// Whether `text` has this word, not only as a part of others.
fn mentions(text: &str, word: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

/// What a cell says after its code.
fn reason(cell: &str) -> Option<&str> {
    let reason = cell.split('`').nth(2)?.trim();
    (!reason.is_empty()).then_some(reason)
}

/// What the first pair of backticks encloses.
fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}
