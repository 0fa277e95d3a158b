//! Every cipher set: messages, the agreement of a session, and its channel packets; beside the bare
//! ciphers of two of them.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use dryoc::classic::crypto_secretbox::{crypto_secretbox_detached, crypto_secretbox_open_detached};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use telehash_benches::{Ends, MESSAGE, Pair, SETS, SIZES, body};
use telehash_hashname::Csid;

/// Bytes of a packet for the bare ciphers, the largest of a session's.
const BARE: usize = SIZES[SIZES.len() - 1];
const TAG: usize = 16;

fn sessions(c: &mut Criterion) {
    for csid in SETS {
        let mut group = c.benchmark_group(format!("cs{csid}"));
        for size in SIZES {
            // A packet opens once, so each has to be sealed first, outside the measurement; and a
            // session seals only so many.
            let pair = RefCell::new(Pair::new(csid));
            let mut packet = pair.borrow().room(size);
            group.bench_function(BenchmarkId::new("seal", size), |b| {
                b.iter(|| pair.borrow_mut().seal(black_box(&mut packet)));
            });
            let pair = RefCell::new(Pair::new(csid));
            group.bench_function(BenchmarkId::new("open", size), |b| {
                b.iter_batched_ref(
                    || pair.borrow_mut().packet(size),
                    |packet| pair.borrow_mut().open(black_box(packet)),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

fn messages(c: &mut Criterion) {
    for csid in SETS {
        let mut group = c.benchmark_group(format!("cs{csid}"));
        message(&mut group, csid);
        group.finish();
    }
}

fn message(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    csid: Csid,
) {
    let ends = RefCell::new(Ends::new(csid));
    // What a round costs its sender: CS42 has a fresh ephemeral in each, the others keep theirs.
    let [mut kept, _] = ends.borrow_mut().exchanges();
    group.bench_function(BenchmarkId::new("message seal", MESSAGE), |b| {
        b.iter(|| ends.borrow_mut().seal(black_box(kept.as_mut())));
    });
    let message = ends.borrow_mut().seal(kept.as_mut());
    // From somebody unknown: nothing is cached.
    let bob = ends.borrow().bob().clone();
    group.bench_function(BenchmarkId::new("message open", MESSAGE), |b| {
        b.iter(|| bob.open(black_box(body(&message))).expect("it is for bob"));
    });
    group.bench_function("agreement", |b| {
        b.iter_batched_ref(
            || ends.borrow_mut().handshake(),
            |handshake| handshake.session(0),
            BatchSize::SmallInput,
        );
    });
}

/// What the ratios of CS42 and CS3a are to.
fn bare(c: &mut Criterion) {
    let mut group = c.benchmark_group("bare");
    let key = UnboundKey::new(&AES_256_GCM, &[1; 32]).expect("32 bytes are a key");
    let key = LessSafeKey::new(key);
    let nonce = || Nonce::assume_unique_for_key([2; 12]);
    let mut packet = vec![0; BARE];
    group.bench_function(BenchmarkId::new("aes-256-gcm seal", BARE), |b| {
        b.iter(|| {
            key.seal_in_place_separate_tag(nonce(), Aad::empty(), black_box(&mut packet))
                .expect("short enough")
        });
    });
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut packet)
        .expect("short enough");
    group.bench_function(BenchmarkId::new("aes-256-gcm open", BARE), |b| {
        b.iter_batched_ref(
            || packet.clone(),
            |packet| {
                key.open_in_place(nonce(), Aad::empty(), black_box(packet))
                    .map(|plain| plain.len())
            },
            BatchSize::SmallInput,
        );
    });
    let (key, nonce) = ([1; 32], [2; 24]);
    let (mut tag, message) = ([0; TAG], vec![0; BARE]);
    let mut packet = vec![0; BARE];
    group.bench_function(BenchmarkId::new("secretbox seal", BARE), |b| {
        b.iter(|| {
            crypto_secretbox_detached(&mut packet, &mut tag, black_box(&message), &nonce, &key)
        });
    });
    let mut plain = vec![0; BARE];
    group.bench_function(BenchmarkId::new("secretbox open", BARE), |b| {
        b.iter(|| {
            crypto_secretbox_open_detached(&mut plain, black_box(&packet), &tag, &nonce, &key)
                .expect("it was sealed");
        });
    });
    group.finish();
}

/// Short: dozens of them are run, and their medians settle in a second.
fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = crypto;
    config = short();
    targets = bare, sessions, messages
}
criterion_main!(crypto);
