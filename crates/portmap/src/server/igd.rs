//! A UPnP Internet Gateway Device.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};

use super::{Change, Server, Temper};
use crate::port::{Method, Port, Protocol};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// A device that can be searched for.
pub(super) struct Device {
    searches: UdpSocket,
    http: TcpListener,
}

impl Device {
    pub(super) fn bind(server: &Server) -> io::Result<Self> {
        let searches = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 1900))?;
        searches.join_multicast_v4(&GROUP, &server.description.address)?;
        let http = TcpListener::bind((server.description.address, 0))?;
        Ok(Self { searches, http })
    }

    pub(super) fn clone_http(&self) -> io::Result<TcpListener> {
        self.http.try_clone()
    }

    pub(super) fn answer_searches(&self, server: &Server) -> io::Result<()> {
        let own = SocketAddrV4::new(server.description.address, self.http.local_addr()?.port());
        let at = server.description.location.unwrap_or(own);
        let mut buffer = [0; 1500];
        loop {
            let (length, from) = self.searches.recv_from(&mut buffer)?;
            let silent = server.description.temper == Temper::Silent;
            if silent || !buffer[..length].starts_with(b"M-SEARCH") {
                continue;
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {SERVICE}\r\nLOCATION: http://{at}/device.xml\r\n\r\n"
            );
            self.searches.send_to(answer.as_bytes(), from)?;
        }
    }
}

/// Answers requests, one after the other.
pub(super) fn serve(server: &Server, http: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = http.accept()?;
        // Whoever hangs up half way has nobody else wait.
        let _ = exchange(server, &stream);
    }
}

fn exchange(server: &Server, stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    let (status, mut text) = match first.split_whitespace().nth(1) {
        Some("/device.xml") => ("200 OK", device()),
        Some("/service.xml") => ("200 OK", service()),
        _ => control(server, &body),
    };
    if server.description.temper == Temper::Short {
        text.truncate(text.len() / 2);
    }
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    (&mut &*stream).write_all(head.as_bytes())?;
    (&mut &*stream).write_all(text.as_bytes())
}

fn control(server: &Server, body: &str) -> (&'static str, String) {
    if server.description.temper == Temper::Refusing {
        let error = "<UPnPError><errorCode>606</errorCode><errorDescription>no</errorDescription></UPnPError>";
        let fault = format!("<s:Fault><detail>{error}</detail></s:Fault>");
        return ("500 Internal Server Error", envelope(&fault));
    }
    if body.contains("GetExternalIPAddress") {
        let ip = server.description.external;
        let ip = format!("<NewExternalIPAddress>{ip}</NewExternalIPAddress>");
        return ("200 OK", answer("GetExternalIPAddress", &ip));
    }
    let Some(change) = change(body) else {
        return ("400 Bad Request", String::new());
    };
    if server.description.temper == Temper::Good {
        server.change(change);
    }
    let action = match change.lifetime {
        0 => "DeletePortMapping",
        _ => "AddPortMapping",
    };
    ("200 OK", answer(action, ""))
}

fn change(body: &str) -> Option<Change> {
    let protocol = match argument(body, "NewProtocol")? {
        "TCP" => Protocol::Tcp,
        _ => Protocol::Udp,
    };
    let external = argument(body, "NewExternalPort")?.parse().ok()?;
    let removed = body.contains("DeletePortMapping");
    let address = match removed {
        true => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, external),
        false => SocketAddrV4::new(
            argument(body, "NewInternalClient")?.parse().ok()?,
            argument(body, "NewInternalPort")?.parse().ok()?,
        ),
    };
    let lifetime = match removed {
        true => 0,
        false => argument(body, "NewLeaseDuration")?.parse().ok()?,
    };
    Some(Change {
        method: Method::Upnp,
        port: Port { protocol, address },
        external,
        lifetime,
    })
}

fn argument<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.trim())
}

fn answer(action: &str, arguments: &str) -> String {
    envelope(&format!(
        "<u:{action}Response xmlns:u=\"{SERVICE}\">{arguments}</u:{action}Response>"
    ))
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn device() -> String {
    let nested = |kind: &str, inner: &str| {
        format!(
            "<device><deviceType>urn:schemas-upnp-org:device:{kind}:1</deviceType>{inner}</device>"
        )
    };
    let service = format!(
        "<serviceList><service><serviceType>{SERVICE}</serviceType><serviceId>w</serviceId><controlURL>/control</controlURL><eventSubURL>/events</eventSubURL><SCPDURL>/service.xml</SCPDURL></service></serviceList>"
    );
    let list = |inner: String| format!("<deviceList>{inner}</deviceList>");
    let connection = list(nested("WANConnectionDevice", &service));
    let wan = list(nested("WANDevice", &connection));
    format!(
        "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">{}</root>",
        nested("InternetGatewayDevice", &wan)
    )
}

fn service() -> String {
    let action = |name: &str, arguments: &[&str]| {
        let argument = |name: &&str| {
            format!("<argument><name>{name}</name><direction>in</direction></argument>")
        };
        let arguments: String = arguments.iter().map(argument).collect();
        format!("<action><name>{name}</name><argumentList>{arguments}</argumentList></action>")
    };
    let add = [
        "NewRemoteHost",
        "NewExternalPort",
        "NewProtocol",
        "NewInternalPort",
        "NewInternalClient",
        "NewEnabled",
        "NewPortMappingDescription",
        "NewLeaseDuration",
    ];
    let actions = [
        action("AddPortMapping", &add),
        action("DeletePortMapping", &add[..3]),
    ];
    format!(
        "<?xml version=\"1.0\"?><scpd xmlns=\"urn:schemas-upnp-org:service-1-0\"><actionList>{}</actionList></scpd>",
        actions.concat()
    )
}
