//! Both ends of tunnels, one at a time.
//!
//! ```text
//! cargo run -p telehash-examples --bin tunnels -- serve link.json           # writes its link JSON there
//! cargo run -p telehash-examples --bin tunnels -- connect link.json 8080    # to an echo at the other end
//! cargo run -p telehash-examples --bin tunnels -- bind link.json            # a port there
//! cargo run -p telehash-examples --bin tunnels -- accept link.json          # whoever connects to it finds an echo here
//! ```
//!
//! The interoperability matrix runs this against other implementations.

use std::time::Duration;

use mesh::HandlerError;
use mesh::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// For each thing that is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes that are echoed.
const ECHOED: usize = 40_000;

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("usage: serve|connect|bind|accept FILE [PORT]")
    };
    let (command, file) = (next()?, next()?);
    let builder = mesh::builder().udp("127.0.0.1:0".parse()?);
    if command == "serve" {
        return serve(builder, &file).await;
    }
    let mesh = builder.build().await?;
    let link = mesh.link(std::fs::read_to_string(file)?).await?;
    link.wait_up(PATIENCE).await?;
    let done = match command.as_str() {
        "connect" => {
            let echo = Destination::new("127.0.0.1", next()?.parse()?)?;
            tokio::time::timeout(PATIENCE, connect(&link, echo)).await??
        }
        "bind" => {
            let bound = tokio::time::timeout(PATIENCE, link.bind(Destination::any(0))).await??;
            match bound.local().port() {
                0 => return Err("no port is bound".into()),
                _ => "bound".to_owned(),
            }
        }
        _ => tokio::time::timeout(PATIENCE, accept(&link)).await??,
    };
    println!("{done}");
    mesh.close().await;
    Ok(())
}

/// Lets everybody reach this machine until standard input ends.
async fn serve(builder: mesh::Builder, file: &str) -> Result<(), HandlerError> {
    // Port 0 is any that is free.
    let policy = SockPolicy::new()
        .allow("127.0.0.0/8".parse()?)
        .allow_bind("0".parse()?)
        .allow_bind("1024-65535".parse()?);
    let mesh = builder
        .accept(Accept::All)
        .serve_sock(policy)
        .build()
        .await?;
    std::fs::write(file, mesh.local_link_json().to_string())?;
    println!(r#"{{"event":"ready"}}"#);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    mesh.close().await;
    Ok(())
}

/// An echo is there.
async fn connect(link: &Link, echo: Destination) -> Result<String, HandlerError> {
    echoed(link.connect(echo).await?).await
}

/// Whoever connects there finds an echo here.
async fn accept(link: &Link) -> Result<String, HandlerError> {
    let mut bound = link.bind(Destination::any(0)).await?;
    let port = bound.local().port();
    let accepts = async {
        let (mut tunnel, _) = bound.accept().await?;
        let mut data = vec![0; ECHOED];
        tunnel.read_exact(&mut data).await?;
        tunnel.write_all(&data).await?;
        tunnel.shutdown().await?;
        Ok::<_, HandlerError>(tunnel)
    };
    let connects = async {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        echoed(tcp).await
    };
    let (_tunnel, done) = tokio::try_join!(accepts, connects)?;
    Ok(done)
}

/// Sends something and wants it back.
async fn echoed(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<String, HandlerError> {
    let sent: Vec<u8> = (0..ECHOED).map(|at| (at ^ (at >> 8)) as u8).collect();
    stream.write_all(&sent).await?;
    let mut back = vec![0; ECHOED];
    stream.read_exact(&mut back).await?;
    if back != sent {
        return Err("the echo differs from what was sent".into());
    }
    stream.shutdown().await?;
    Ok(format!("{ECHOED} bytes"))
}
