//! The `causeway` program: a thin shell over the library.

fn main() -> std::process::ExitCode {
    causeway::cli::main(std::env::args_os())
}
