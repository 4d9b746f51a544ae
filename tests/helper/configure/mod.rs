//! What `configure` promises, as claims about the built helper with the stand-in listener.
//!
//! How the listener itself behaves is claimed in `tests/stand-ins`; nothing here looks inside the library.

mod desk;
mod refused;
mod registers;
