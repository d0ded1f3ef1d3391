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
    use std::collections::BTreeMap;
    use ts_rs::{TS, TypeVisitor};

    /// `Message` is the one type that Rust does not know: messages pass through to the template.
    const HEAD: &str = "\
import type { Message } from \"./message.js\";

/** The protocol's version; both sides must agree. */
export const PROTOCOL = ";

    /// One module with every type that a request, event, effect or completion reaches.
    pub(super) fn declarations() -> String {
        let mut found = Declarations(BTreeMap::new());
        found.visit::<Request>();
        found.visit::<Event>();
        found.visit::<Effect>();
        found.visit::<Completion>();
        format!("{HEAD}{PROTOCOL};\n{}", comments(&found.0.into_values().collect::<String>()))
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

    /// By name: the order in which the derive visits fields changes from compilation to compilation.
    struct Declarations(BTreeMap<String, String>);

    impl TypeVisitor for Declarations {
        fn visit<T: TS + 'static + ?Sized>(&mut self) {
            // Only derived types have a place to be declared in; numbers, lists and strings have not.
            if T::output_path().is_none() || self.0.contains_key(&T::ident()) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            let text = format!("\n{}\nexport {}\n", docs.trim_end(), T::decl().trim_end());
            self.0.insert(T::ident(), text);
            T::visit_dependencies(self);
        }
    }
}
