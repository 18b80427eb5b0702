//! Tests of the program as its users meet it: real git, real hooks, real processes, nothing of this machine's own.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on should say where it stopped")]

mod agent;
<<<<<<< HEAD
mod demo;
mod doctor;
=======
mod claim;
>>>>>>> 02f5ca0007f44858caf0a7ff4fa74a23ba828be8
mod env;
mod init;
mod instance;
mod smoke;
mod tidy;
