//! Prints the TypeScript declarations of the protocol: `cargo xtask protocol` keeps them in
//! `packages/sidestage/src/protocol.ts`.

#[cfg(feature = "typescript")]
fn main() {
    print!("{}", typescript::declarations());
}

#[cfg(not(feature = "typescript"))]
fn main() {
    eprintln!("run this with --features typescript");
    std::process::exit(2);
}

#[cfg(feature = "typescript")]
mod typescript {
    use sidestage_engine::protocol::{Completion, Effect, Event, PROTOCOL, Request};
    use std::collections::HashSet;
    use ts_rs::{TS, TypeVisitor};

    const HEAD: &str = "\
// Written by `cargo xtask protocol` from crates/engine/src/protocol.rs. Do not edit.

/** The protocol's version; both sides must agree. */
export const PROTOCOL = ";

    /// The one type that Rust does not know: messages pass through to the model's template.
    const MESSAGE: &str = "

/** A message of a conversation, as the model's chat template sees it. */
export type Message = { role: string; content: unknown; [field: string]: unknown };
";

    /// One module with every type that a request, event, effect or completion reaches.
    pub(super) fn declarations() -> String {
        let mut found = Declarations { seen: HashSet::new(), text: String::new() };
        found.visit::<Request>();
        found.visit::<Event>();
        found.visit::<Effect>();
        found.visit::<Completion>();
        format!("{HEAD}{PROTOCOL};{MESSAGE}{}", comments(&found.text))
    }

    /// Doc comments as TypeScript has them: one line where one is enough, no links to Rust items.
    fn comments(text: &str) -> String {
        let mut out = String::new();
        let mut lines = text.lines().map(|line| line.replace("`None`", "`null`"));
        while let Some(line) = lines.next() {
            if line != "/**" {
                out.push_str(&line);
                out.push('\n');
                continue;
            }
            let body: Vec<String> = lines.by_ref().take_while(|l| l != " */").collect();
            let body: Vec<&str> = body.iter().map(|l| l.trim_start_matches(" *").trim()).collect();
            let unlinked = body.join("\n * ").replace("[`", "`").replace("`]", "`");
            match body.len() {
                1 => out.push_str(&format!("/** {unlinked} */\n")),
                _ => out.push_str(&format!("/**\n * {unlinked}\n */\n")),
            }
        }
        out
    }

    struct Declarations {
        seen: HashSet<String>,
        text: String,
    }

    impl TypeVisitor for Declarations {
        fn visit<T: TS + 'static + ?Sized>(&mut self) {
            // Only derived types have a place to be declared in; numbers, lists and strings have not.
            if T::output_path().is_none() || !self.seen.insert(T::ident()) {
                return;
            }
            self.text.push('\n');
            if let Some(docs) = T::docs() {
                self.text.push_str(docs.trim_end());
                self.text.push('\n');
            }
            self.text.push_str("export ");
            self.text.push_str(T::decl().trim_end());
            self.text.push('\n');
            T::visit_dependencies(self);
        }
    }
}
