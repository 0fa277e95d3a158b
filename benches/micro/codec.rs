//! Heads, chunks and cloaks.

use chacha20::ChaCha20Legacy;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

use telehash_benches::{SIZES, content, header};
use telehash_lob::chunk::{self, Decoder};
use telehash_lob::cloak::{self, WorkBudget};
use telehash_lob::{ChannelHeader, Compression};

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("header");
    for (name, z) in [("json", Compression::None), ("cbor", Compression::Cbor)] {
        for size in SIZES {
            let body = content(size);
            let mut packet = Vec::with_capacity(2 * size);
            group.bench_function(BenchmarkId::new(format!("encode-{name}"), size), |b| {
                b.iter(|| {
                    packet.clear();
                    black_box(header()).encode_into(&mut packet, black_box(&body), z)
                });
            });
            group.bench_function(BenchmarkId::new(format!("parse-{name}"), size), |b| {
                b.iter(|| ChannelHeader::decode(black_box(&packet), z).map(|(_, body)| body));
            });
        }
    }
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunk");
    for size in SIZES {
        let packet = content(size);
        let mut stream = Vec::with_capacity(2 * size);
        group.bench_function(BenchmarkId::new("encode", size), |b| {
            b.iter(|| {
                stream.clear();
                chunk::encode_into(black_box(&packet), chunk::MAX_FRAGMENT, &mut stream);
            });
        });
        let mut decoder = Decoder::new();
        group.bench_function(BenchmarkId::new("decode", size), |b| {
            b.iter(|| {
                let mut input = black_box(stream.as_slice());
                decoder
                    .next_event(&mut input)
                    .is_ok_and(|event| event.is_some())
            });
        });
    }
    group.finish();
}

fn cloaks(c: &mut Criterion) {
    let mut group = c.benchmark_group("cloak");
    for size in SIZES {
        // What the library takes for the keystream alone: cloaking can be no faster.
        let mut packet = content(size);
        group.bench_function(BenchmarkId::new("bare-chacha20", size), |b| {
            b.iter(|| {
                let (key, nonce) = black_box(([1; 32], [7; 8]));
                let mut cipher = ChaCha20Legacy::new(&key.into(), &nonce.into());
                cipher.apply_keystream(black_box(&mut packet));
            });
        });
        let mut wire = vec![7; cloak::NONCE_LEN];
        wire.extend(std::iter::repeat_n(0, size));
        group.bench_function(BenchmarkId::new("full", size), |b| {
            b.iter(|| cloak::cloak_in_place(black_box(&mut wire)));
        });
        group.bench_function(BenchmarkId::new("head", size), |b| {
            b.iter(|| cloak::cloak_head_in_place(black_box(&mut wire)));
        });

        let mut wire = vec![7; cloak::NONCE_LEN];
        wire.extend(std::iter::repeat_n(0, size));
        cloak::cloak_in_place(&mut wire);
        group.bench_function(BenchmarkId::new("peek", size), |b| {
            b.iter(|| cloak::peek(black_box(&wire), &mut WorkBudget::new(usize::MAX)));
        });
        group.bench_function(BenchmarkId::new("peel", size), |b| {
            b.iter_batched_ref(
                || wire.clone(),
                |wire| {
                    let peek = cloak::peek(wire, &mut WorkBudget::new(usize::MAX));
                    peek.map(|peek| cloak::finish(wire, &peek, false).len())
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Short: dozens of them are run, and their medians settle in a second.
fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = codec;
    config = short();
    targets = headers, chunks, cloaks
}
criterion_main!(codec);
