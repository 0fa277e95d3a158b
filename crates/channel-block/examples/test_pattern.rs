//! A camera without a camera: frames of 9,000 bytes, a hundred a second, over a network that loses
//! packets. Each frame that comes is compared with the pattern, pixel by pixel.
//!
//! `cargo run -p telehash-channel-block --example test_pattern -- 300 0.02`: so many frames, and what
//! part of all packets is lost.

use std::time::Duration;

use telehash_channel_block::{
    BlockError, BlockSender, BuilderBlockExt as _, IncomingBlocks, LinkBlockExt as _,
};
use telehash_runtime::{Accept, Link, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// Pixels of a frame, one byte each: 9,000 in all.
const WIDTH: usize = 120;
const HEIGHT: usize = 75;

/// Time from one frame to the next.
const PACE: Duration = Duration::from_millis(10);

/// Grey bars that wander to the left, and get darker from top to bottom.
fn frame(number: u64) -> Vec<u8> {
    let pixel = |at: usize| {
        let (x, y) = (at % WIDTH, at / WIDTH);
        let bar = (x + number as usize) % WIDTH / 15;
        (bar * 32 + y % 32) as u8
    };
    (0..WIDTH * HEIGHT).map(pixel).collect()
}

/// What the screen saw: whole frames, and frames that were not as they should.
#[derive(Default)]
struct Seen {
    whole: u64,
    wrong: u64,
}

/// Sends all frames; the sender is kept until they were seen, since dropping it fails the channel.
async fn film(link: &Link, frames: u64) -> Result<BlockSender, BlockError> {
    let mut blocks = link.blocks().await?;
    let mut clock = interval(PACE);
    for number in 1..=frames {
        clock.tick().await;
        blocks.send(frame(number)).await?;
    }
    Ok(blocks)
}

/// Until the last frame, or until nothing comes any more: the last one may be lost.
async fn watch(mut screen: mpsc::Receiver<(u64, bool)>, frames: u64) -> Seen {
    let mut seen = Seen::default();
    let patience = Duration::from_secs(2);
    while let Ok(Some((number, right))) = timeout(patience, screen.recv()).await {
        seen.whole += 1;
        seen.wrong += u64::from(!right);
        if number == frames {
            break;
        }
    }
    seen
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let frames: u64 = arguments.next().as_deref().unwrap_or("300").parse()?;
    let loss: f64 = arguments.next().as_deref().unwrap_or("0.02").parse()?;
    let network = MemoryNetwork::new(1);
    let (show, screen) = mpsc::channel(16);

    let receiver = Mesh::builder()
        .transport(network.endpoint())
        .accept(Accept::All)
        .on_blocks(move |incoming: IncomingBlocks| {
            let show = show.clone();
            async move {
                let mut blocks = incoming.accept().await?;
                while let Some(block) = blocks.recv().await? {
                    let right = block.bytes == frame(block.number);
                    let _ = show.send((block.number, right)).await;
                }
                Ok::<_, BlockError>(())
            }
        })
        .build()
        .await?;
    let sender = Mesh::builder()
        .transport(network.endpoint())
        .build()
        .await?;
    let link = sender.link(receiver.local_link_json()).await?;
    link.wait_up(Duration::from_secs(10)).await?;
    network.set_conditions(&Conditions::perfect().with_loss(Loss::Random(loss)));

    let (filmed, seen) = tokio::join!(film(&link, frames), watch(screen, frames));
    drop(filmed?);
    let Seen { whole, wrong } = seen;
    println!("{frames} frames sent, {whole} came whole, {wrong} of them wrong");
    sender.close().await;
    receiver.close().await;
    if wrong > 0 {
        return Err("a frame was not what was sent".into());
    }
    Ok(())
}
