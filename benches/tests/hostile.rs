//! The trial of `src/bin/hostile.rs` with few peers and short deadlines: that it holds, apart from the times, which depend on what else the
//! machine does.

use std::process::Command;

#[test]
fn websocket_peers_that_do_not_behave_are_cut_for_the_right_reason_and_the_others_lose_nothing() {
    let options = ["--short", "--connections", "100", "--clients", "10", "--more", "60000"];
    let output = Command::new(env!("CARGO_BIN_EXE_hostile")).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
