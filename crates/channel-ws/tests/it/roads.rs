//! One suite over a lossy network and over every kind of transport.

use futures::{SinkExt as _, StreamExt as _};
use telehash_channel_ws::{
    CloseCode, CloseFrame, Data, LinkWsExt as _, Message, Piece, WsError, WsRequest, WsRoutes,
};
use telehash_runtime::{Builder, Mesh};
use telehash_transport::impair::{Conditions, Loss};
use telehash_transport::memory::MemoryNetwork;
use telehash_transport_quic::{QuicConfig, QuicTransport};
use telehash_transport_tcp::{TcpConfig, TcpTransport};
use telehash_transport_udp::{UdpConfig, UdpTransport};
use tokio::sync::oneshot;

use crate::common::{Pair, echo, echo_pieces, pattern, within};

/// The parameter.
#[derive(Clone, Copy, Debug)]
enum Road {
    /// Memory that loses 5 % of all packets.
    Lossy,
    Udp,
    Tcp,
    Quic,
}

impl Road {
    async fn listen(self, network: &MemoryNetwork) -> Builder {
        let address = "127.0.0.1:0".parse().unwrap();
        let builder = Mesh::builder();
        match self {
            Self::Lossy => builder.transport(network.endpoint()),
            Self::Udp => {
                builder.transport(UdpTransport::bind(&UdpConfig::at(address)).await.unwrap())
            }
            Self::Tcp => {
                builder.transport(TcpTransport::bind(&TcpConfig::at(address)).await.unwrap())
            }
            Self::Quic => {
                builder.transport(QuicTransport::bind(&QuicConfig::at(address)).await.unwrap())
            }
        }
    }

    async fn pair(self) -> Pair {
        let network = MemoryNetwork::new(7);
        let routes = WsRoutes::new()
            .path("/echo", echo)
            .path("/pieces", echo_pieces);
        let (server, client) = (self.listen(&network).await, self.listen(&network).await);
        let pair = Pair::over(network, server, client, routes).await;
        if let Self::Lossy = self {
            pair.network
                .set_conditions(&Conditions::perfect().with_loss(Loss::Random(0.05)));
        }
        pair
    }
}

/// Text and bytes of many sizes, empty ones among them, whole and in order; pings are answered.
async fn messages(road: Road) {
    let pair = road.pair().await;
    let request = WsRequest::new("/echo").protocol("b").protocol("a");
    let mut ws = pair.link.ws(request).await.unwrap();
    assert_eq!(ws.protocol(), Some("b"));
    let messages = [
        Message::text(""),
        Message::binary(""),
        Message::text("grüße ✓ ".repeat(20_000)),
        Message::binary(pattern(300_000)),
        Message::text("short"),
        Message::binary(pattern(1200)),
    ];
    within(async {
        for message in &messages {
            ws.send(message.clone()).await.unwrap();
        }
        ws.send(Message::Ping("are you there?".into()))
            .await
            .unwrap();
        let mut pongs = 0;
        for message in messages {
            let mut received = ws.recv().await.unwrap().unwrap();
            if let Message::Pong(_) = received {
                pongs += 1;
                received = ws.recv().await.unwrap().unwrap();
            }
            assert!(received == message);
        }
        if pongs == 0 {
            let pong = ws.recv().await.unwrap();
            assert_eq!(pong, Some(Message::Pong("are you there?".into())));
        }
        ws.close(None).await.unwrap();
    })
    .await;
    pair.close().await;
}

/// Codes and reasons arrive, and come back.
async fn closes(road: Road) {
    let pair = road.pair().await;
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999,
    ] {
        let mut ws = pair.link.ws("/echo").await.unwrap();
        let frame = CloseFrame::new(CloseCode::new(code).unwrap(), "so long ✓");
        within(async {
            ws.send(Message::Close(Some(frame.clone()))).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(Message::Close(Some(frame))));
            assert_eq!(ws.recv().await.unwrap(), None);
            let late = ws.send("too late").await;
            assert!(matches!(late, Err(WsError::Closed)), "{late:?}");
        })
        .await;
    }
    pair.close().await;
}

/// 16 MiB and more of one message, there and back in pieces, without anybody holding it.
async fn a_long_message(road: Road) {
    const PIECE: usize = 64 << 10;
    let len = match road {
        Road::Lossy => 2 << 20,
        _ => (16 << 20) + PIECE,
    };
    let pair = road.pair().await;
    let pieces = pair.link.ws("/pieces").await.unwrap().into_pieces();
    let (mut sink, mut stream) = pieces.split();
    let all = pattern(PIECE);
    let sends = async {
        for at in (0..len).step_by(PIECE) {
            let last = at + PIECE >= len;
            let bytes = all.clone().into();
            let piece = Piece::Data(Data {
                text: false,
                bytes,
                last,
            });
            sink.send(piece).await.unwrap();
        }
    };
    let receives = async {
        let mut at = 0;
        loop {
            let Some(Ok(Piece::Data(data))) = stream.next().await else {
                panic!("it ends at {at}")
            };
            let expected = all.iter().cycle().skip(at % PIECE).take(data.bytes.len());
            assert!(data.bytes.iter().eq(expected), "other bytes at {at}");
            at += data.bytes.len();
            if data.last {
                break at;
            }
        }
    };
    let (_, received) = within(async { tokio::join!(sends, receives) }).await;
    assert_eq!(received, len);
    pair.close().await;
}

/// A peer that does not read holds the writer back, and gets everything once it reads.
async fn slow_reader(road: Road) {
    let network = MemoryNetwork::new(7);
    let (go, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let (told, heard) = oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let routes = WsRoutes::new().path("/slow", move |incoming: telehash_channel_ws::IncomingWs| {
        let (wait, told) = (wait.lock().unwrap().take(), told.lock().unwrap().take());
        async move {
            let mut ws = incoming.accept().await?;
            wait.unwrap().await.unwrap();
            let mut count = 0;
            while let Some(Message::Binary(_)) = ws.recv().await? {
                count += 1;
            }
            told.unwrap().send(count).unwrap();
            Ok::<_, WsError>(())
        }
    });
    let (server, client) = (road.listen(&network).await, road.listen(&network).await);
    let pair = Pair::over(network, server, client, routes).await;
    let mut ws = pair.link.ws("/slow").await.unwrap();
    let message = Message::binary(pattern(1 << 20));
    let mut sent = 0;
    // Until nothing moves any more: the buffers of both ends are full.
    loop {
        let send =
            tokio::time::timeout(std::time::Duration::from_secs(1), ws.send(message.clone()));
        match send.await {
            Ok(done) => done.unwrap(),
            Err(_) => break,
        }
        sent += 1;
        assert!(sent < 40, "nothing holds the writer back");
    }
    go.send(()).unwrap();
    // The one that was given up is completed by what follows.
    within(ws.close(None)).await.unwrap();
    assert_eq!(within(heard).await.unwrap(), sent + 1);
    pair.close().await;
}

macro_rules! suite {
    ($($road:ident: $variant:ident),* $(,)?) => {$(
        mod $road {
            use super::Road;

            suite!(@tests Road::$variant, messages, closes, a_long_message, slow_reader);
        }
    )*};
    (@tests $road:expr, $($body:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $body() {
            super::$body($road).await;
        }
    )*};
}

suite! {
    lossy: Lossy,
    udp: Udp,
    tcp: Tcp,
    quic: Quic,
}
