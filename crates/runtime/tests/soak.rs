//! Endpoints that come and go on real sockets: no task, no socket and no memory is left of them.

use std::{
    fs,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use telehash_runtime::{Accept, Builder, HandlerError, IncomingChannel, Mesh, Open, Packet};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::runtime::Runtime;

/// How long the long test takes.
const SOAK: Duration = Duration::from_secs(180);

/// How much the process may grow in the second half of it, in bytes.
const MAX_GROWTH: f64 = 1_048_576.0;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long what was dropped may take to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// Packets on each channel.
const PACKETS: u32 = 50;

/// Both tests count what the process has.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn endpoints_that_come_and_go_leave_no_task_and_no_socket() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    soak(|rounds, _| rounds < 3);
}

#[test]
#[ignore = "long: three minutes"]
fn three_minutes_of_endpoints_that_come_and_go_leave_no_task_no_socket_and_no_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let samples = soak(|_, start| start.elapsed() < SOAK);
    let half: Vec<(f64, f64)> = samples
        .into_iter()
        .filter(|(at, _)| *at >= SOAK.as_secs_f64() / 2.0)
        .collect();
    assert!(half.len() > 20, "{} samples are too few", half.len());
    let growth = slope(&half) * SOAK.as_secs_f64() / 2.0;
    println!("{growth:.0} bytes of growth in the second half");
    assert!(
        growth < MAX_GROWTH,
        "it grew by {growth:.0} bytes: {half:?}"
    );
}

/// Rounds as long as `goes_on`; when the process had how many bytes, in seconds.
fn soak(goes_on: impl Fn(u64, Instant) -> bool) -> Vec<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let sockets = sockets();
    let start = Instant::now();
    let mut samples = Vec::new();
    let server = runtime.block_on(mesh(
        Mesh::builder().accept(Accept::All).on_open("echo", echo),
    ));
    // Once around first: what is made once stays.
    runtime.block_on(round(&server, 0));
    settle(&runtime, |_| server.stats().links == 0);
    let (tasks, with_server) = (runtime.metrics().num_alive_tasks(), self::sockets());
    let (mut rounds, mut next) = (0, start);
    while goes_on(rounds, start) {
        rounds += 1;
        runtime.block_on(round(&server, rounds));
        settle(&runtime, |runtime| {
            server.stats().links == 0
                && runtime.metrics().num_alive_tasks() <= tasks
                && self::sockets() <= with_server
        });
        if next <= Instant::now() {
            samples.push((start.elapsed().as_secs_f64(), resident()));
            next = Instant::now() + INTERVAL;
        }
    }
    runtime.block_on(server.close());
    drop(server);
    settle(&runtime, |runtime| {
        runtime.metrics().num_alive_tasks() == 0 && self::sockets() <= sockets
    });
    println!("{rounds} rounds");
    samples
}

/// A client comes, talks on channels, some of which it drops half way, and goes: in order, or not.
async fn round(server: &Mesh, nth: u64) {
    let client = mesh(Mesh::builder()).await;
    let link = client.link(server.local_link_json()).await.unwrap();
    link.wait_up(PATIENCE).await.unwrap();
    for channel in 0..4 {
        let channel_of_it = link.open(Open::reliable("echo")).await.unwrap();
        let (mut sender, mut receiver) = channel_of_it.split();
        for number in 0..PACKETS {
            let body = [&number.to_be_bytes()[..], &[7; 1_000]].concat();
            sender.send(Packet::new(body)).await.unwrap();
        }
        if channel == 3 {
            // Dropped with what it still had to say, and to hear.
            drop(receiver.recv().await.unwrap());
            continue;
        }
        sender.end().unwrap();
        for number in 0..PACKETS {
            let packet = receiver.recv().await.unwrap().unwrap();
            assert_eq!(packet.body[..4], number.to_be_bytes());
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    }
    // The server is told, or it would wait for who is gone.
    link.close();
    if nth.is_multiple_of(2) {
        client.close().await;
    }
    if let Some(link) = server.get(&client.hashname()) {
        link.close();
    }
}

/// Waits until what was dropped is gone.
fn settle(runtime: &Runtime, is_gone: impl Fn(&Runtime) -> bool) {
    let start = Instant::now();
    while !is_gone(runtime) {
        assert!(
            start.elapsed() < PATIENCE,
            "{} tasks and {} sockets are left",
            runtime.metrics().num_alive_tasks(),
            sockets()
        );
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    }
}

async fn mesh(builder: Builder) -> Mesh {
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = UdpConfig::at(here);
    builder
        .open_transport(async move { UdpTransport::bind(&config).await })
        .build()
        .await
        .unwrap()
}

async fn echo(channel: IncomingChannel) -> Result<(), HandlerError> {
    let (mut sender, mut receiver) = channel.accept()?.split();
    while let Some(packet) = receiver.recv().await? {
        sender.send(Packet::new(packet.body)).await?;
    }
    sender.end()?;
    Ok(())
}

/// Sockets that this process has open.
fn sockets() -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("Linux has /proc");
    let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Bytes of memory that this process has.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.expect("it says so in KiB") * 1024.0
}

/// How steep the line is that is nearest to all points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let rise: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let run: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    rise / run
}

#[test]
fn a_line_is_as_steep_as_it_is() {
    let points = [(1.0, 5.0), (2.0, 8.0), (3.0, 11.0)];
    assert!((slope(&points) - 3.0).abs() < 1e-9);
}
