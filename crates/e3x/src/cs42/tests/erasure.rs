//! Erased secrets are out of reach, which their types see to, and none is shown.

use std::format;

use zeroize::ZeroizeOnDrop;

use super::*;
use crate::cs42::{agreement::Agreement, epoch::Chain, epoch::Keys, kdf::Secret};

/// Does not compile for a type that has the trait: it cannot tell which `Ambiguous` is meant.
macro_rules! is_not {
    ($type:ty: $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<Which> {
                fn anything() {}
            }
            struct Other;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<Other> for T {}
            <$type as Ambiguous<_>>::anything();
        };
    };
}

is_not!(Ephemeral: Clone);
is_not!(Agreement: Clone);
is_not!(Chain: Clone);
is_not!(Keys: Clone);
is_not!(Cs42Exchange: Clone);
is_not!(Cs42Session: Clone);
is_not!(crate::Resumption: Clone);

const fn is_erased_when_dropped<T: ZeroizeOnDrop>() {}

const _: () = {
    is_erased_when_dropped::<Ephemeral>();
    is_erased_when_dropped::<x25519_dalek::StaticSecret>();
    is_erased_when_dropped::<Agreement>();
    is_erased_when_dropped::<Chain>();
    is_erased_when_dropped::<Secret>();
    is_erased_when_dropped::<crate::Resumption>();
};

#[test]
fn deriving_takes_the_ephemeral_and_all_that_came_of_it() {
    let mut world = World::new(1);
    let remote = world.opened().remote;
    world.b.adopt(&remote).expect("a's ephemeral");
    world.answer(b"hello");
    assert_eq!(world.b.holds(), (true, true, 1));
    let session = world.b.derive(&remote, &context(2, 1, None));
    assert!(session.is_ok());
    // What both identities agree on is of no ephemeral.
    assert_eq!(world.b.holds(), (false, true, 0));
}

#[test]
fn giving_up_takes_them_too_and_so_does_a_fresh_ephemeral() {
    for fresh in [false, true] {
        let mut world = World::new(1);
        let remote = world.opened().remote;
        world.b.adopt(&remote).expect("a's ephemeral");
        if fresh {
            world.b.fresh(&mut world.rng).expect("an ephemeral");
        } else {
            world.b.erase();
        }
        assert_eq!(world.b.holds(), (fresh, false, 0));
    }
}

#[test]
fn the_ephemeral_goes_even_if_nothing_comes_of_it() {
    let mut world = World::new(1);
    let weak = crate::RemoteEphemeral::new(
        telehash_hashname::Csid::CS42,
        &[0; 32],
        Zeroizing::new([7; 32].to_vec()),
    );
    let weak = weak.expect("long enough");
    let session = world.b.derive(&weak, &context(2, 1, None));
    assert!(session.is_err());
    assert!(!world.b.holds().0);
}

#[test]
fn no_secret_is_shown() {
    let mut world = World::new(1);
    let opened = world.opened();
    world.answer(b"hello");
    let before = format!("{:?} {:?}", world.b, opened.remote);
    let (session, _) = world.sessions();
    let after = format!("{:?} {session:?}", world.a);
    let resume = format!("{:?}", session.resume().expect("a secret"));
    let resume = resume.trim_matches(['[', ']']);
    for shown in [&before, &after] {
        assert!(!shown.contains(resume), "{shown}");
        let secret = format!("{:?}", opened.remote.secret());
        assert!(!shown.contains(secret.trim_matches(['[', ']'])), "{shown}");
    }
}
