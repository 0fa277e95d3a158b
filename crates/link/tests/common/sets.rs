//! Identities of every selection of cipher sets, from key pairs that are made once.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use telehash_e3x::{CipherSets, Identity, KeyPair};
use telehash_hashname::{Csid, IdentityJson, KeySet, Secret};

/// All there are, ascending: the later one of two is the one to agree on.
pub(crate) const SETS: [Csid; 5] = [Csid::CS1A, Csid::CS1C, Csid::CS2A, Csid::CS3A, Csid::CS42];

/// Which of the two endpoints of a test.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Alice,
    Bob,
}

/// An RSA key takes a tenth of a second, and the tests want hundreds of identities.
static PAIRS: LazyLock<[BTreeMap<Csid, Arc<KeyPair>>; 2]> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let sets = CipherSets::default();
    [(); 2].map(|()| {
        let mut pair = |csid| Arc::new(sets.get(csid).unwrap().generate(&mut rng).unwrap());
        SETS.map(|csid| (csid, pair(csid))).into()
    })
});

/// The identity that has exactly these sets.
pub(crate) fn identity(who: Who, csids: &[Csid]) -> Identity {
    let mut keys = KeySet::new();
    let mut secrets = BTreeMap::new();
    for csid in csids {
        let pair = &PAIRS[who as usize][csid];
        keys.insert_key(*csid, pair.public.clone()).unwrap();
        secrets.insert(*csid, Secret::new(pair.secret.to_vec()));
    }
    let json = IdentityJson::new(keys, secrets).unwrap();
    Identity::from_json(&CipherSets::default(), &json).unwrap()
}

/// Every selection of cipher sets but the empty one.
pub(crate) fn selections() -> impl Iterator<Item = Vec<Csid>> {
    (1..1_u32 << SETS.len()).map(|mask| {
        let chosen = |at: &usize| mask & (1 << at) != 0;
        (0..SETS.len()).filter(chosen).map(|at| SETS[at]).collect()
    })
}
