//! Secrets that are given out: guessed, spent, expired, revoked, too many.

use proptest::prelude::*;
use telehash_uri::{BuildError, Issued, ItemError, LinkUri, Secret, SecretError, Terms, UriError};

fn secret(number: u8) -> Secret {
    Secret::from_bytes([number; 16])
}

fn table(terms: Terms) -> Issued<u8> {
    let mut issued = Issued::new(4);
    issued.issue(100, secret(1), terms, 11);
    issued
}

#[test]
fn an_invite_is_good_once() {
    let mut invites = table(Terms::once_until(200));
    assert_eq!(invites.redeem(150, &secret(1)), Some(11));
    assert_eq!(invites.redeem(150, &secret(1)), None);
    assert!(invites.is_empty());
}

#[test]
fn an_invite_expires_to_the_second_and_is_forgotten() {
    let mut invites = table(Terms::once_until(200));
    assert_eq!(invites.redeem(200, &secret(1)), None);
    assert_eq!(invites.look_up(200, &secret(1)), None);
    assert_eq!(invites.look_up(199, &secret(1)), Some(&11));
    assert!(!invites.expire(199));
    assert!(invites.expire(200));
    assert!(invites.is_empty());
}

#[test]
fn a_guess_finds_nothing_and_costs_the_real_one_nothing() {
    let mut invites = table(Terms::once_until(200));
    let mut near = [1; 16];
    near[15] = 2;
    assert_eq!(invites.redeem(150, &Secret::from_bytes(near)), None);
    assert_eq!(invites.len(), 1);
    assert_eq!(invites.redeem(150, &secret(1)), Some(11));
}

#[test]
fn a_session_is_good_as_often_as_its_terms_say() {
    let mut twice = table(Terms::UNLIMITED.uses(Some(2)));
    assert_eq!(twice.redeem(1, &secret(1)), Some(11));
    assert_eq!(twice.redeem(u64::MAX, &secret(1)), Some(11));
    assert_eq!(twice.redeem(1, &secret(1)), None);

    let mut always = table(Terms::UNLIMITED);
    for _ in 0..5 {
        assert_eq!(always.redeem(u64::MAX, &secret(1)), Some(11));
    }
    let mut never = table(Terms::UNLIMITED.uses(Some(0)).until(None));
    assert_eq!(never.redeem(1, &secret(1)), None);
}

#[test]
fn what_is_revoked_is_gone() {
    let mut sessions = table(Terms::UNLIMITED);
    assert_eq!(sessions.revoke(&secret(2)), None);
    assert_eq!(sessions.revoke(&secret(1)), Some(11));
    assert_eq!(sessions.look_up(150, &secret(1)), None);
}

#[test]
fn one_secret_more_than_the_table_takes_pushes_out_the_one_that_expires_first() {
    let mut invites = table(Terms::UNLIMITED);
    invites.issue(100, secret(2), Terms::once_until(500), 12);
    invites.issue(100, secret(3), Terms::once_until(300), 13);
    invites.issue(100, secret(4), Terms::once_until(400), 14);
    assert_eq!(invites.len(), 4);
    invites.issue(100, secret(5), Terms::once_until(600), 15);
    let left: Vec<u8> = invites.iter().map(|entry| entry.value).collect();
    assert_eq!(left, [11, 12, 14, 15]);
    // What has expired goes before anything else.
    invites.issue(500, secret(6), Terms::once_until(700), 16);
    let left: Vec<u8> = invites.iter().map(|entry| entry.value).collect();
    assert_eq!(left, [11, 15, 16]);
}

#[test]
fn the_secret_of_an_invite_can_be_kept_shown_in_part_or_left_out() {
    let uri = LinkUri::new().with_invite(&secret(7)).unwrap();
    assert_eq!(uri.invite(), Some(secret(7)));
    assert_eq!(secret(7).handle(), "a4dqobyh");
    assert_eq!(
        uri.to_string(),
        format!("link:///?inv={}", secret(7).to_text())
    );
    let replaced = uri.clone().with_invite(&secret(8)).unwrap();
    assert_eq!(
        (replaced.invite(), replaced.query().len()),
        (Some(secret(8)), 1)
    );
    assert_eq!(uri.without_invite().to_string(), "link:///");
    let reserved = LinkUri::new().with_query("inv", "sesame");
    assert!(matches!(reserved, Err(BuildError::ReservedName { .. })));
}

#[test]
fn an_invite_that_is_none_is_skipped_and_said_to_be() {
    for (item, error) in [
        ("inv=aa", ItemError::Secret(SecretError::Length)),
        (
            &format!("inv={0}&inv={0}", secret(7).to_text()),
            ItemError::Repeated,
        ),
    ] {
        let parsed = LinkUri::parse(&format!("link://h/?{item}")).unwrap();
        assert_eq!(parsed.skipped[0].error, error, "{item}");
        let strict = LinkUri::parse_strict(&format!("link://h/?{item}"));
        assert!(matches!(strict, Err(UriError::Item(_))), "{item}");
    }
    let upper = secret(9).to_text().to_ascii_uppercase();
    let read = LinkUri::parse_strict(&format!("link://h/?inv={upper}")).unwrap();
    assert_eq!(read.invite(), Some(secret(9)));
}

proptest! {
    #[test]
    fn an_invite_reads_as_it_was_written(bytes: [u8; 16]) {
        let secret = Secret::from_bytes(bytes);
        let uri = LinkUri::new().with_invite(&secret).unwrap();
        let read = LinkUri::parse_strict(&uri.to_string()).unwrap();
        prop_assert_eq!(read.invite(), Some(secret));
        prop_assert_eq!(read, uri);
    }

    #[test]
    fn no_sequence_of_deeds_makes_a_table_larger_than_it_may_be(deeds in prop::collection::vec((0..4u8, 0..8u8, 0..300u64), 0..60)) {
        let mut issued = Issued::new(4);
        for (deed, number, now) in deeds {
            match deed {
                0 | 1 => issued.issue(now, secret(number), Terms::once_until(now + 50), number),
                2 => prop_assert!(issued.redeem(now, &secret(number)).is_none_or(|value| value == number)),
                _ => drop(issued.revoke(&secret(number))),
            }
            prop_assert!(issued.len() <= 4);
        }
    }
}
