//! Which crate may depend on which: the table of the design, and the check that the workspace keeps
//! to it.

use crate::command::{capture, program};
use crate::failure::Failure;
use crate::project::Project;
use serde_json::Value;

/// A room and what it stands on. It may also use all that those may use.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room { name: "tensor", may_use: &[] },
    Room { name: "pool", may_use: &[] },
    Room { name: "text", may_use: &[] },
    Room { name: "ir", may_use: &["tensor"] },
    Room { name: "kernels", may_use: &["tensor", "pool"] },
    Room { name: "ops", may_use: &["ir", "kernels"] },
    Room { name: "cpu", may_use: &["ops"] },
    Room { name: "formats", may_use: &["ops"] },
    Room { name: "lm", may_use: &["formats", "cpu"] },
    Room { name: "store", may_use: &[] },
    // Of text it uses the messages of its border only: text itself is a module of its own.
    Room { name: "engine", may_use: &["lm", "store", "cpu", "text"] },
    Room { name: "web", may_use: &["engine"] },
    Room { name: "web-text", may_use: &["text"] },
    // Models for tests, and other people's tests.
    Room { name: "miniatures", may_use: &["formats"] },
    Room { name: "suite", may_use: &["formats", "cpu"] },
    Room { name: "cli", may_use: &["engine", "text"] },
];

/// Whether the table lets `from` use `to`, directly or through the rooms it stands on.
fn allowed(from: &str, to: &str) -> bool {
    let room = ROOMS.iter().find(|room| room.name == from);
    room.is_some_and(|room| room.may_use.iter().any(|r| *r == to || allowed(r, to)))
}

/// Fails with every edge that the table does not have.
pub(crate) fn verify(project: &Project) -> Result<(), Failure> {
    let args = ["metadata", "--format-version=1", "--no-deps", "--locked"];
    let text = capture(&mut program("cargo", &args, &project.root))?;
    let metadata: Value = serde_json::from_str(&text)
        .map_err(|e| Failure::new(format!("cargo metadata gave no JSON: {e}"), ""))?;
    let faults = faults(&metadata);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        faults.join("\n       "),
        "Dependencies point down the table in xtask/src/rooms.rs only.",
    ))
}

fn faults(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for package in array(metadata, "packages") {
        let Some(name) = room(package) else { continue };
        if !ROOMS.iter().any(|room| room.name == name) {
            faults.push(format!("crates/{name} is not in the table"));
            continue;
        }
        // Tests may use what they like: only what ships counts.
        for edge in array(package, "dependencies").iter().filter(|d| d["kind"] != "dev") {
            if let Some(to) = room(edge)
                && !allowed(name, to)
            {
                faults.push(format!("crates/{name} may not depend on crates/{to}"));
            }
        }
    }
    faults
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn room(package: &Value) -> Option<&str> {
    package["name"].as_str()?.strip_prefix("sidestage-")
}

#[cfg(test)]
mod tests {
    use super::{allowed, faults};
    use serde_json::json;

    #[test]
    fn edges_point_down() {
        assert!(allowed("engine", "tensor"));
        assert!(allowed("lm", "pool"));
        assert!(!allowed("tensor", "ir"));
        assert!(!allowed("lm", "text"));
        assert!(!allowed("store", "engine"));
        assert!(!allowed("text", "tensor"));
    }

    #[test]
    fn names_every_wrong_edge() {
        let metadata = json!({ "packages": [
            { "name": "sidestage-ir", "dependencies": [
                { "name": "sidestage-tensor", "kind": null },
                { "name": "sidestage-cpu", "kind": null },
                { "name": "sidestage-lm", "kind": "dev" },
                { "name": "serde", "kind": null },
            ] },
            { "name": "sidestage-new", "dependencies": [] },
            { "name": "xtask", "dependencies": [] },
        ] });
        assert_eq!(
            faults(&metadata),
            ["crates/ir may not depend on crates/cpu", "crates/new is not in the table"]
        );
    }
}
