//! Runs that are stopped or killed, and gone on with.

use super::*;
