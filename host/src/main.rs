//! Exit codes, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookbox::cli::main()
}
