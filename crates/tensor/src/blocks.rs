//! Block layouts of the quantised types, proven by `const` asserts.
