//! What makes the check fail, and what does not.

use super::environment::Environment;
use super::measure::{step, sum, total_in};
use super::table::{Counts, Instructions, compare};

fn counts<const N: usize>(counts: [(&str, u64); N]) -> Instructions {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

fn faults<const B: usize, const N: usize>(
    before: [(&str, u64); B],
    now: [(&str, u64); N],
) -> Vec<String> {
    compare(&counts(before), &counts(now)).faults()
}

fn environment() -> Environment {
    Environment {
        rustc: "1.89.0 (0123abcd)".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        libc: "glibc 2.36".into(),
        valgrind: "valgrind-3.19.0".into(),
        processor: "aes avx2".into(),
    }
}

#[test]
fn a_count_that_grows_by_more_than_two_per_cent_is_a_fault() {
    assert!(faults([("seal", 1000)], [("seal", 1020)]).is_empty());
    let faults = faults(
        [("seal", 1000), ("open", 500)],
        [("seal", 1021), ("open", 500)],
    );
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("`seal` takes 1021 instructions, not 1000"),
        "{faults:?}"
    );
}

#[test]
fn a_count_that_shrinks_is_told_and_no_fault() {
    let comparison = compare(&counts([("seal", 1000)]), &counts([("seal", 900)]));
    assert!(comparison.faults().is_empty());
    let text = comparison.to_string();
    assert!(
        text.contains("-10.00 %") && text.contains("--record"),
        "{text}"
    );
    let same = compare(&counts([("seal", 1000)]), &counts([("seal", 985)]));
    assert!(!same.to_string().contains("--record"));
}

#[test]
fn what_is_not_counted_any_more_or_not_recorded_is_a_fault() {
    let faults = faults([("old", 1)], [("new", 1)]);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("`old` is recorded"))
    );
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("`new` is counted"))
    );
}

#[test]
fn the_file_says_what_was_counted_and_where() {
    let recorded = Counts {
        environment: environment(),
        instructions: counts([("seal", 1000), ("open", 500)]),
    };
    let text = recorded.to_json().unwrap();
    assert!(text.contains("\n    \"seal\": 1000\n"), "{text}");
    assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), recorded);
}

#[test]
fn each_thing_that_is_another_elsewhere_is_named() {
    assert!(environment().differences(&environment()).is_empty());
    let other = Environment {
        rustc: "1.90.0 (4567cdef)".into(),
        processor: "aes".into(),
        ..environment()
    };
    let differences = environment().differences(&other);
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(differences[0].contains("rustc was 1.89.0 (0123abcd), and is 1.90.0"));
    assert!(differences[1].starts_with("processor"));
}

#[test]
fn steps_of_one_name_add_up_for_each_packet() {
    let lines = [
        "16 link: send a run",
        "1 link: send one",
        "16 link: send a run",
    ];
    let steps: Vec<_> = lines.iter().map(|line| step(line).unwrap()).collect();
    let sums = sum(&steps, &[160, 12, 192]);
    assert_eq!(
        sums,
        counts([("link: send a run", 11), ("link: send one", 12)])
    );
    for bad in ["", "link", "x link", "0 link"] {
        assert!(step(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_total_of_a_file_of_callgrind_is_found() {
    let text = "version: 1\nevents: Ir\nfn=(1) measured\n1 20\nsummary: 43681\ntotals: 43681\n";
    assert_eq!(total_in(text), Some(43_681));
    assert_eq!(total_in("events: Ir\n"), None);
}
