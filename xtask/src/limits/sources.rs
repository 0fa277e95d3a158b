//! Constants and tests, as the sources have them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// One constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    /// The folder of its crate.
    pub(crate) package: String,
    /// The file that it is in, `flow/config` for `src/flow/config.rs`, `tests/flow` for `tests/flow.rs`.
    pub(crate) file: String,
    /// Its own name.
    pub(crate) name: String,
    /// The expression that gives its value, on one line.
    pub(crate) value: String,
    /// Whether it bounds something.
    pub(crate) limit: bool,
}

impl Constant {
    /// `package::file::NAME`.
    pub(crate) fn path(&self) -> String {
        format!(
            "{}::{}::{}",
            self.package,
            self.file.replace('/', "::"),
            self.name
        )
    }

    /// Whether `path` means this constant: the path above, or one that leaves out modules at the front.
    fn is(&self, path: &str) -> bool {
        path.split_once("::").is_some_and(|(package, rest)| {
            package == self.package && format!("::{}", self.path()).ends_with(&format!("::{rest}"))
        })
    }
}

/// What all crates define.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    constants: Vec<Constant>,
    /// The texts of all tests of a name.
    tests: BTreeMap<String, String>,
}

impl Sources {
    /// Reads every crate below `crates`.
    pub(crate) fn read(crates: &Path) -> Result<Self> {
        let mut sources = Self::default();
        for entry in fs::read_dir(crates)? {
            let folder = entry?.path();
            let package = folder
                .file_name()
                .context("a crate has a folder")?
                .to_string_lossy()
                .into_owned();
            sources.read_folder(&package, &folder.join("src"), &folder.join("src"))?;
            sources.read_folder(&package, &folder, &folder.join("tests"))?;
        }
        sources.constants.sort_by_key(Constant::path);
        Ok(sources)
    }

    fn read_folder(&mut self, package: &str, top: &Path, folder: &Path) -> Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_folder(package, top, &path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(top)?.with_extension("");
                self.read_text(
                    package,
                    &file.to_string_lossy(),
                    &fs::read_to_string(&path)?,
                );
            }
        }
        Ok(())
    }

    /// Adds what one file defines. Constants of tests and fuzz bodies bound nothing but those.
    pub(crate) fn read_text(&mut self, package: &str, file: &str, text: &str) {
        let mut documentation = String::new();
        let mut is_test = false;
        let mut of_tests = ["tests", "fuzz"].iter().any(|word| file.contains(word));
        let mut lines = text.lines();
        while let Some(indented) = lines.next() {
            let line = indented.trim();
            if let Some(words) = line.strip_prefix("///") {
                documentation.push_str(words);
            } else if line.starts_with("#[") {
                is_test |= line.ends_with("test]") || line.contains("test(");
            } else {
                of_tests |= line.starts_with("mod tests {");
                if let Some((name, kind, value)) = constant(line, &mut lines) {
                    let limit = !of_tests && is_limit(&name, &kind, &documentation);
                    self.constants.push(Constant {
                        package: package.to_owned(),
                        file: file.to_owned(),
                        name,
                        value,
                        limit,
                    });
                } else if let Some(name) = function(line).filter(|_| is_test) {
                    let body = body(indented, lines.clone());
                    self.tests
                        .entry(name.to_owned())
                        .or_default()
                        .push_str(&body);
                }
                documentation.clear();
                is_test = false;
            }
        }
    }

    /// The constants that bound something.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &Constant> {
        self.constants.iter().filter(|constant| constant.limit)
    }

    /// The only constant that `path` means; `None` if there is none or more than one.
    pub(crate) fn constant(&self, path: &str) -> Option<&Constant> {
        let mut found = self.constants.iter().filter(|constant| constant.is(path));
        found.next().filter(|_| found.next().is_none())
    }

    /// What the tests of this name do; `None` if no crate has one.
    pub(crate) fn test(&self, name: &str) -> Option<&str> {
        self.tests.get(name).map(String::as_str)
    }
}

fn is_limit(name: &str, kind: &str, documentation: &str) -> bool {
    let bounds_space = name.starts_with("MAX_") || name.contains("CAPACITY");
    (bounds_space && kind != "Duration") || documentation.contains("Limit:")
}

/// Name, type and value of `pub const NAME: Type = value;`, which may go on over the next lines.
fn constant<'a>(
    line: &str,
    rest: &mut impl Iterator<Item = &'a str>,
) -> Option<(String, String, String)> {
    let (name, after) = unqualified(line).strip_prefix("const ")?.split_once(':')?;
    if !name
        .chars()
        .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    {
        return None;
    }
    let mut definition = after.to_owned();
    while !definition.ends_with(';') || unclosed(&definition) {
        definition.push(' ');
        definition.push_str(rest.next()?.trim());
    }
    let (kind, value) = definition.split_once('=')?;
    let value = value.trim().trim_end_matches(';');
    Some((name.to_owned(), kind.trim().to_owned(), value.to_owned()))
}

/// Whether a bracket of the type or the value, as in `[u8; 4]`, is still open.
fn unclosed(text: &str) -> bool {
    let count = |brackets: &[char]| {
        text.chars()
            .filter(|letter| brackets.contains(letter))
            .count()
    };
    count(&['(', '[', '{']) > count(&[')', ']', '}'])
}

fn function(line: &str) -> Option<&str> {
    let line = unqualified(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (name, _) = line.strip_prefix("fn ")?.split_once(['(', '<'])?;
    Some(name)
}

/// The lines after the one that begins a function, up to the brace that ends it.
fn body<'a>(first: &str, rest: impl Iterator<Item = &'a str>) -> String {
    let indent = &first[..first.len() - first.trim_start().len()];
    let last = |line: &&str| line.trim_end() != format!("{indent}}}");
    rest.take_while(last)
        .fold(String::new(), |body, line| body + line + "\n")
}

/// `line` without `pub` or `pub(…)`.
fn unqualified(line: &str) -> &str {
    match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(line, |(_, rest)| rest),
        Some(rest) => rest.trim_start(),
        None => line,
    }
}
