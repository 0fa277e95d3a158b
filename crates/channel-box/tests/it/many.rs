//! Many letters of many senders, through one cache.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use telehash_channel_box::{CacheStats, Quota, SendOptions};
use telehash_e3x::Identity;
use telehash_runtime::{Mesh, StrangerBudget};
use telehash_transport::memory::MemoryNetwork;

use crate::common::{Person, Server, identity};

/// Senders that are there at the same time, so that what is measured is the cache.
const AT_ONCE: usize = 16;

const RECIPIENTS: usize = 10;

/// Bytes of a letter before it is sealed.
const BODY: usize = 200;

/// No letters take so long, also in a debug build.
const LIMIT: Duration = Duration::from_secs(1800);

fn body(sender: usize, number: usize) -> Vec<u8> {
    let mut body = vec![0; BODY];
    body[..8].copy_from_slice(&(sender as u64).to_be_bytes());
    body[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    body
}

fn read(body: &[u8]) -> (usize, usize) {
    let word = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().unwrap()) as usize;
    (word(0), word(8))
}

/// One sender puts all its letters, one after the other.
async fn put(network: &MemoryNetwork, server: &Mesh, sender: usize, to: &Identity, each: usize) {
    let ann = Person::new(network, &identity()).await;
    let options = SendOptions::new().cache(&ann.link(server).await);
    for number in 0..each {
        let body = body(sender, number);
        let sent = ann.mailbox.send(to.keys(), &body, &options).await;
        assert_eq!(sent.unwrap().caches.len(), 1);
    }
    ann.mesh.close().await;
}

/// A recipient takes all that there is for it; how many, and in which time. Those of each sender come in
/// order, each once, to the last.
async fn take(
    network: &MemoryNetwork,
    server: &Mesh,
    who: &Identity,
    each: usize,
) -> (usize, Duration) {
    let bob = Person::new(network, who).await;
    let link = bob.link(server).await;
    let (start, mut last) = (Instant::now(), HashMap::new());
    let mut taken = 0;
    let mut fetched = std::pin::pin!(bob.mailbox.fetch(&link));
    loop {
        let letter = tokio::select! {
            biased;
            letter = bob.mailbox.recv() => letter.unwrap(),
            fetched = &mut fetched => {
                fetched.unwrap();
                break;
            }
        };
        taken += 1;
        let (sender, number) = read(&letter.body);
        assert_eq!(letter.body, body(sender, number));
        let before = last.insert(sender, number);
        assert!(
            before.is_none_or(|before| before < number),
            "sender {sender}: {number}"
        );
    }
    let took = start.elapsed();
    let missing: Vec<_> = last.iter().filter(|(_, last)| **last + 1 != each).collect();
    assert!(missing.is_empty(), "the last ones are missing: {missing:?}");
    bob.mesh.close().await;
    (taken, took)
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Sends and takes them; what the cache had in between, and how many were taken.
async fn letters(senders: usize, each: usize, total: usize) -> (CacheStats, usize) {
    let network = MemoryNetwork::new(1);
    let mut strangers = StrangerBudget::default();
    (strangers.per_prefix, strangers.global) = (100_000, 100_000);
    let builder = Mesh::builder()
        .transport(network.endpoint())
        .strangers(strangers);
    let quota = Quota::new().total(total).per_recipient(total);
    let server = Server::over(builder, quota).await;
    let recipients: Vec<_> = (0..RECIPIENTS).map(|_| identity()).collect();
    let before = resident();
    let start = Instant::now();
    stream::iter(0..senders)
        .for_each_concurrent(AT_ONCE, |sender| {
            put(
                &network,
                &server.mesh,
                sender,
                &recipients[sender % RECIPIENTS],
                each,
            )
        })
        .await;
    let (all, seconds) = (senders * each, start.elapsed().as_secs_f64());
    let stats = server.cache.stats();
    let grown = resident().saturating_sub(before);
    println!(
        "{all} letters of {BODY} bytes from {senders} senders in {seconds:.1} s, {:.0} a second; kept {}, \
         {} bytes of the quota of {total}; resident memory grew by {grown}",
        all as f64 / seconds,
        stats.messages,
        stats.bytes
    );
    // One after the other they would wait for each other to close.
    let takes = recipients
        .iter()
        .map(|who| take(&network, &server.mesh, who, each));
    let took = futures::future::join_all(takes).await;
    let taken: usize = took.iter().map(|(taken, _)| taken).sum();
    let seconds = took.iter().map(|(_, took)| *took).max().unwrap_or_default();
    let seconds = seconds.as_secs_f64();
    let rate = taken as f64 / seconds;
    println!("{taken} taken by {RECIPIENTS} recipients in {seconds:.1} s, {rate:.0} a second");
    server.emptied().await;
    (stats, taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_letters_stay_within_the_quota_and_what_is_kept_comes_once() {
    let total = 8 << 20;
    let letters = tokio::time::timeout(LIMIT, letters(100, 100, total));
    let (stats, taken) = letters.await.unwrap();
    // It is full, and what is in it is all that comes.
    assert!(
        stats.bytes <= total && stats.bytes > total - 4096,
        "{stats:?}"
    );
    assert!(stats.messages < 10_000, "{stats:?}");
    assert_eq!(taken, stats.messages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a hundred thousand letters"]
async fn a_hundred_thousand_letters_of_a_thousand_senders_come_once() {
    let total = 256 << 20;
    let letters = tokio::time::timeout(LIMIT, letters(1000, 100, total));
    let (stats, taken) = letters.await.unwrap();
    assert_eq!((stats.messages, taken), (100_000, 100_000));
    assert!(stats.bytes <= total, "{stats:?}");
}
