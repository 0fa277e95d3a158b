//! A channel type of one's own: the client of `sum` sends numbers, a packet each, and its server answers their sum when
//! the client is done.
//!
//! ```text
//! cargo run -p telehash-examples --bin custom_channel
//! ```

use mesh::prelude::*;
use mesh::{Channel, HandlerError};

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let server = mesh::builder()
        .udp("127.0.0.1:0".parse()?)
        .accept(Accept::All)
        .on_open("sum", serve)
        .build()
        .await?;
    let client = mesh::builder().udp("127.0.0.1:0".parse()?).build().await?;
    let link = client.link(server.local_link_json()).await?;

    println!("{}", sum(&link, &[1, 2, 3]).await?);
    println!("{}", sum(&link, &[1, 2, 3, 4]).await?);

    client.close().await;
    server.close().await;
    Ok(())
}

async fn serve(channel: IncomingChannel) -> Result<(), HandlerError> {
    let mut channel = channel.accept()?;
    let mut sum = 0;
    while let Some(number) = receive(&mut channel).await? {
        sum += number;
    }
    channel.send(Packet::new(sum.to_string())).await?;
    channel.end()?;
    Ok(())
}

async fn sum(link: &Link, numbers: &[i64]) -> Result<i64, HandlerError> {
    let mut channel = link.open(Open::reliable("sum")).await?;
    for number in numbers {
        channel.send(Packet::new(number.to_string())).await?;
    }
    channel.end()?;
    let sum = receive(&mut channel).await?;
    Ok(sum.ok_or("the server ended the channel without an answer")?)
}

/// The number in the next packet; `None` at the peer's end, which may come in a packet of its own.
async fn receive(channel: &mut Channel) -> Result<Option<i64>, HandlerError> {
    match channel.recv().await? {
        Some(packet) if !packet.body.is_empty() => Ok(Some(str::from_utf8(&packet.body)?.parse()?)),
        _ => Ok(None),
    }
}
