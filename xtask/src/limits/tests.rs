use super::sources::Sources;
use super::table::faults;
use crate::shell::root;

const SOURCE: &str = r"
/// Bytes of a head; a longer one is refused.
pub const MAX_HEAD: usize = 32_767;

/// Slots. Limit: the oldest makes room.
pub(crate) const SLOTS: [usize; 2] =
    [4, 8];

/// Not a bound.
const MAGIC: u8 = 7;

#[test]
fn a_longer_head_is_refused() {
    assert!(refused(MAX_HEAD + 1));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_makes_room() {
    assert_eq!(SLOTS, room());
}

#[test]
fn is_about_something_else() {
    assert!(NOT_MAX_HEAD < 132_767);
}

fn helper() {}
";

const ROWS: [&str; 2] = [
    "| `lob::MAX_HEAD` | `32_767` bytes | refused | `a_longer_head_is_refused` |",
    "| `lob::SLOTS` | `[4, 8]` | the oldest makes room | `the_oldest_makes_room` |",
];

fn faults_of(rows: &[&str]) -> Vec<String> {
    let mut sources = Sources::default();
    sources.read_text("lob", "packet", SOURCE);
    faults(&rows.join("\n"), &sources)
}

#[test]
fn every_limit_of_the_crates_has_a_true_row_and_a_test() {
    let sources = Sources::read(&root().join("crates")).expect("the sources are readable");
    let page = std::fs::read_to_string(root().join(super::PAGE)).expect("the page is readable");
    assert!(sources.limits().count() > 0, "no limit was found");
    assert_eq!(faults(&page, &sources), Vec::<String>::new());
}

#[test]
fn a_full_table_has_no_fault() {
    assert_eq!(faults_of(&ROWS), Vec::<String>::new());
}

#[test]
fn a_limit_without_a_row_is_found() {
    assert_eq!(faults_of(&ROWS[..1]), ["lob::packet::SLOTS has no row"]);
}

#[test]
fn a_row_without_a_constant_is_found() {
    let row = "| `lob::GONE` | `1` | refused | `a_longer_head_is_refused` |";
    assert_eq!(
        faults_of(&[ROWS[0], ROWS[1], row]),
        ["the row of lob::GONE describes no constant, or more than one"]
    );
}

#[test]
fn an_outdated_value_is_found() {
    let row = ROWS[0].replace("32_767", "1024");
    assert_eq!(
        faults_of(&[&row, ROWS[1]]),
        ["lob::MAX_HEAD is `32_767`, its row says `1024` bytes"]
    );
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    for test in ["`helper`", "`no_such_test`", ""] {
        let row = ROWS[0].replace("`a_longer_head_is_refused`", test);
        assert_eq!(faults_of(&[&row, ROWS[1]]).len(), 1, "{test}");
    }
}

#[test]
fn a_test_that_does_not_mention_its_limit_needs_a_reason() {
    let row = ROWS[0].replace("`a_longer_head_is_refused`", "`is_about_something_else`");
    assert_eq!(
        faults_of(&[&row, ROWS[1]]),
        ["the test of lob::MAX_HEAD does not mention it, and its row does not say why"]
    );
    let row = row.replace("else` |", "else`: heads of that length take minutes |");
    assert_eq!(faults_of(&[&row, ROWS[1]]), Vec::<String>::new());
}

#[test]
fn a_row_says_what_happens_at_the_limit() {
    let row = ROWS[0].replace("| refused |", "|  |");
    assert_eq!(
        faults_of(&[&row, ROWS[1]]),
        ["the row of lob::MAX_HEAD does not say what happens at it"]
    );
}

#[test]
fn two_limits_of_one_name_are_told_apart_by_their_modules() {
    let mut sources = Sources::default();
    sources.read_text(
        "link",
        "flow/config",
        "const MAX_AGE: u8 = 1;\n#[test]\nfn it_ends() {\n    MAX_AGE;\n}",
    );
    sources.read_text("link", "handshake/resend", "const MAX_AGE: u8 = 2;");
    let row = |path, value| format!("| `{path}` | `{value}` | ends | `it_ends` |\n");

    let told_apart = row("link::config::MAX_AGE", 1) + &row("link::handshake::resend::MAX_AGE", 2);
    assert_eq!(faults(&told_apart, &sources), Vec::<String>::new());
    assert_eq!(faults(&row("link::MAX_AGE", 1), &sources).len(), 3);
}
