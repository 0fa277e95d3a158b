//! What applications do with their handles, at random and in virtual time: futures are dropped half
//! way, handles are dropped, links closed. What arrives is what was sent, and in the end no task is
//! left.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use telehash_runtime::{
    Accept, ChannelReceiver, ChannelSender, HandlerError, IncomingChannel, Link, Mesh, Open, Packet,
};
use telehash_transport::{
    impair::{Conditions, Loss},
    memory::MemoryNetwork,
};

const SEEDS: u64 = 40;
const MANY_SEEDS: u64 = 1_000;
const OPERATIONS: usize = 80;

/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(400);

/// How long somebody waits who will give up.
const ATTENTION: Duration = Duration::from_secs(2);

/// An echoed channel: what was sent, and what came back. A half that was dropped is gone.
struct Talk {
    sender: Option<ChannelSender>,
    receiver: Option<ChannelReceiver>,
    sent: u32,
    received: u32,
    ended: bool,
}

struct World {
    chance: ChaCha20Rng,
    network: MemoryNetwork,
    server: Mesh,
    client: Mesh,
    link: Link,
    talks: Vec<Talk>,
    start: tokio::time::Instant,
}

#[test]
fn whatever_is_dropped_nothing_is_lost_and_no_task_is_left() {
    (0..SEEDS).for_each(run);
}

#[test]
#[ignore = "long: a thousand seeds"]
fn whatever_is_dropped_a_thousand_times_nothing_is_lost_and_no_task_is_left() {
    (SEEDS..MANY_SEEDS).for_each(run);
}

fn run(seed: u64) {
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed).await;
        for _ in 0..OPERATIONS {
            world.operate().await;
        }
        world.finish().await;
    });
    let left = runtime.metrics().num_alive_tasks();
    assert_eq!(left, 0, "tasks are left after seed {seed}");
}

impl World {
    async fn new(seed: u64) -> Self {
        let network = MemoryNetwork::new(seed);
        let server = Mesh::builder().transport(network.endpoint());
        let server = server.accept(Accept::All).on_open("echo", echo);
        let server = server.build().await.unwrap();
        let client = Mesh::builder().transport(network.endpoint());
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(PATIENCE).await.unwrap();
        Self {
            chance: ChaCha20Rng::seed_from_u64(seed),
            network,
            server,
            client,
            link,
            talks: Vec::new(),
            start: tokio::time::Instant::now(),
        }
    }

    fn below(&mut self, n: usize) -> usize {
        self.chance.next_u32() as usize % n
    }

    async fn operate(&mut self) {
        let polls = 1 + self.below(4);
        let nth = self.below(self.talks.len().max(1));
        let operation = self.below(24);
        println!("{:?}: {operation} {nth} {polls}", self.start.elapsed());
        match operation {
            0..=3 => self.open(polls).await,
            4..=9 => self.send(nth, polls).await,
            10..=14 => self.receive(nth, polls).await,
            15 => self.end(nth),
            16 => self.drop_half(nth),
            17 if !self.talks.is_empty() => drop(self.talks.swap_remove(nth)),
            18 => {
                let millis = self.below(40_000) as u64;
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            19 => self.weather(),
            20 => self.relink(polls).await,
            21 => drop(given_up(polls, self.link.ping()).await),
            22 => _ = given_up(polls, self.link.wait_up(PATIENCE)).await,
            // A handle among others.
            _ => drop(self.link.clone()),
        }
    }

    async fn open(&mut self, polls: usize) {
        let opened = given_up(polls, self.link.open(Open::reliable("echo"))).await;
        let Some(Ok(channel)) = opened else { return };
        let (sender, receiver) = channel.split();
        self.talks.push(Talk {
            sender: Some(sender),
            receiver: Some(receiver),
            sent: 0,
            received: 0,
            ended: false,
        });
    }

    async fn send(&mut self, nth: usize, polls: usize) {
        let Some(talk) = self.talks.get_mut(nth) else {
            return;
        };
        let Some(sender) = talk.sender.as_mut().filter(|_| !talk.ended) else {
            return;
        };
        for _ in 0..10 {
            let mut body = talk.sent.to_be_bytes().to_vec();
            body.resize(900, 7);
            let sent = given_up(polls, sender.send(Packet::new(body))).await;
            // What was given up was not sent.
            if !matches!(sent, Some(Ok(()))) {
                return;
            }
            talk.sent += 1;
        }
    }

    async fn receive(&mut self, nth: usize, polls: usize) {
        if let Some(talk) = self.talks.get_mut(nth) {
            while let Some(Some(())) = given_up(polls, talk.next()).await {}
        }
    }

    fn end(&mut self, nth: usize) {
        if let Some(talk) = self.talks.get_mut(nth) {
            talk.end();
        }
    }

    fn drop_half(&mut self, nth: usize) {
        let sender = self.below(2) == 0;
        let Some(talk) = self.talks.get_mut(nth) else {
            return;
        };
        if sender {
            talk.sender = None;
        } else {
            talk.receiver = None;
        }
    }

    fn weather(&mut self) {
        let loss = [0.0, 0.1, 0.4, 1.0][self.below(4)];
        let conditions = Conditions::perfect()
            .with_delay(Duration::from_millis(20))
            .with_duplication(0.1)
            .with_loss(Loss::Random(loss));
        self.network.set_conditions(&conditions);
    }

    /// The link is closed, and made again; whoever waits for that gives up once.
    async fn relink(&mut self, polls: usize) {
        self.link.close();
        let target = self.server.local_link_json();
        drop(given_up(polls, self.client.link(&target)).await);
        self.link = self.client.link(&target).await.unwrap();
    }

    /// On a network that is well again every channel comes to an end, or was told that it failed.
    async fn finish(mut self) {
        self.network.set_conditions(&Conditions::perfect());
        for talk in &mut self.talks {
            talk.end();
            if !talk.ended {
                // Nobody is left who could end it: the peer waits until all of it is dropped.
                talk.receiver = None;
            }
            let ends = async { while talk.next().await.is_some() {} };
            tokio::time::timeout(PATIENCE, ends)
                .await
                .expect("a channel hangs");
        }
        drop(self.talks);
        drop(self.link);
        self.client.close().await;
        self.server.close().await;
        drop((self.client, self.server));
        // What was cancelled has to be polled once more.
        tokio::time::sleep(PATIENCE).await;
    }
}

impl Talk {
    fn end(&mut self) {
        if let Some(sender) = &mut self.sender {
            self.ended |= sender.end().is_ok();
        }
    }

    /// Receives what comes next; nothing once it is over.
    async fn next(&mut self) -> Option<()> {
        let packet = self.receiver.as_mut()?.recv().await;
        match packet {
            Ok(Some(packet)) => {
                let number = self.received.to_be_bytes();
                assert!(self.received < self.sent, "more than was sent");
                assert_eq!(packet.body[..4], number, "out of order");
                self.received += 1;
                Some(())
            }
            Ok(None) => {
                assert!(!self.ended || self.received == self.sent, "ended too early");
                self.receiver = None;
                None
            }
            Err(_) => {
                self.receiver = None;
                None
            }
        }
    }
}

/// Polls a future so often, as long as it lasts, and drops it unless it is ready by then.
async fn given_up<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let output = tokio::time::timeout(ATTENTION, polled(polls, future)).await;
    output.ok().flatten()
}

async fn polled<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut polled = false;
        let step = poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        });
        if let Some(output) = step.await {
            return Some(output);
        }
    }
    None
}

async fn echo(channel: IncomingChannel) -> Result<(), HandlerError> {
    let (mut sender, mut receiver) = channel.accept()?.split();
    while let Some(packet) = receiver.recv().await? {
        sender.send(Packet::new(packet.body)).await?;
    }
    sender.end()?;
    Ok(())
}
