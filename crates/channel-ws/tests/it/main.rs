//! WebSockets between two endpoints.
