//! WebSockets on a link and WebSockets on TCP, joined.
