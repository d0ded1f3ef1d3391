//! Prints `docs/types.md`:
//!
//! ```text
//! cargo run -p sidestage-kernels --example types > docs/types.md
//! ```

#[path = "../tests/types/table.rs"]
mod table;

fn main() {
    print!("{}", table::text());
}
