//! Operators that make longer values become filters that bound them (`growth.rs`): `a ~ b` becomes
//! `((a)|_sidestage_concat(b))`, and `*` and `+` likewise.
//!
//! The template engine calls nothing of its host at an operator, and computes with constants while
//! it parses. The precedence is that of Jinja2: `* / // %` before `~` before `+ -`.

use super::{bounds, growth};

/// `+` in a row before the sum is looked at: more brackets would nest deeper than the parser takes.
const SUMS: usize = 8;

/// Words that part expressions. A variable cannot be called so, but for the last.
const PARTING: [&str; 7] = ["if", "else", "in", "and", "or", "not", "recursive"];

/// The template with the operators of all its tags bounded.
pub(super) fn bounded(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((tag, after)) = bounds::next_tag(rest) {
        let start = tag.as_ptr() as usize - rest.as_ptr() as usize;
        let inside = tag.strip_prefix(['-', '+']).unwrap_or(tag);
        let from = start + tag.len() - inside.len();
        let expression = inside.strip_suffix(['-', '+']).unwrap_or(inside);
        out.push_str(&rest[..from]);
        let mut at = expression;
        if rest[..start].ends_with("{%") {
            // The statement's name.
            let after = bounds::next_word(at).map_or("", |(_, after)| after);
            out.push_str(&at[..at.len() - after.len()]);
            at = after;
        }
        out.push_str(&until_closed(&mut at));
        out.push_str(at);
        out.push_str(&rest[from + expression.len()..rest.len() - after.len()]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Operands and the operators between them.
#[derive(Default)]
struct Chain {
    operands: Vec<String>,
    operators: Vec<&'static str>,
    /// A word after `is` is a test's name.
    after_is: bool,
}

impl Chain {
    fn operand(&mut self) -> &mut String {
        if self.operands.len() == self.operators.len() {
            self.operands.push(String::new());
        }
        let last = self.operands.len() - 1;
        &mut self.operands[last]
    }

    fn is_open(&self) -> bool {
        let last = self.operands.get(self.operators.len());
        last.is_none_or(|operand| operand.trim().is_empty())
    }

    /// The expression, and an empty chain.
    fn take(&mut self) -> String {
        self.after_is = false;
        let mut operands = std::mem::take(&mut self.operands).into_iter();
        let operators = std::mem::take(&mut self.operators);
        let first = operands.next().unwrap_or_default();
        if first.trim_start().starts_with('*') {
            // `*list` and `**names` among arguments.
            let others = operators.iter().zip(operands);
            return others.fold(first, |text, (operator, operand)| text + operator + &operand);
        }
        let mut sum = Sum::default();
        let mut joined = vec![first];
        for (&operator, operand) in operators.iter().zip(operands) {
            match operator {
                "+" | "-" => {
                    sum.add(std::mem::replace(&mut joined, vec![operand]));
                    sum.sign(operator);
                }
                "~" => joined.push(operand),
                _ => {
                    let left = joined.pop().unwrap_or_default();
                    joined.push(match operator {
                        "*" => format!("(({left})|{}({operand}))", growth::TIMES),
                        _ => left + operator + &operand,
                    });
                }
            }
        }
        sum.add(joined);
        sum.text
    }
}

#[derive(Default)]
struct Sum {
    text: String,
    signs: usize,
    plus: bool,
}

impl Sum {
    fn sign(&mut self, sign: &str) {
        self.text.push_str(sign);
        self.plus = sign == "+";
    }

    fn add(&mut self, mut joined: Vec<String>) {
        if joined.len() == 1 {
            self.text.push_str(&joined[0]);
        } else {
            let first = joined.remove(0);
            let others = joined.join(",");
            self.text.push_str(&format!("(({first})|{}({others}))", growth::CONCAT));
        }
        if std::mem::take(&mut self.plus) {
            self.signs += 1;
            // The first is looked at, too: a sum of two is what most templates have.
            if self.signs % SUMS == 1 {
                self.text = format!("(({})|{})", self.text, growth::SUM);
            }
        }
    }
}

/// What stands up to a closing bracket or the end; `rest` begins at it afterwards.
fn until_closed(rest: &mut &str) -> String {
    let mut out = String::new();
    let mut chain = Chain::default();
    while let Some((word, after)) = bounds::next_word(rest) {
        let space = &rest[..rest.len() - after.len() - word.len()];
        if matches!(word, ")" | "]" | "}") {
            break;
        }
        *rest = after;
        let operator = match word {
            _ if chain.is_open() => None,
            "*" | "/" if after.starts_with(word) => {
                *rest = &after[1..];
                Some(if word == "*" { "**" } else { "//" })
            }
            "+" | "-" if is_exponent(chain.operand()) && space.is_empty() => None,
            "+" => Some("+"),
            "-" => Some("-"),
            "~" => Some("~"),
            "*" => Some("*"),
            "/" => Some("/"),
            "%" => Some("%"),
            _ => None,
        };
        let named = chain.operands.last().is_some_and(|operand| operand.ends_with(['.', '|']));
        let parting = matches!(word, "," | "=" | ":" | "<" | ">" | "!")
            || (PARTING.contains(&word) && !named && !chain.after_is);
        match operator {
            Some("**") => {
                let operand = chain.operand();
                operand.push_str(space);
                operand.push_str("**");
            }
            Some(operator) => {
                chain.operand().push_str(space);
                chain.operators.push(operator);
            }
            None if parting => {
                out.push_str(&chain.take());
                out.push_str(space);
                out.push_str(word);
            }
            None => {
                chain.after_is = word == "is" || (chain.after_is && word == "not");
                let operand = chain.operand();
                operand.push_str(space);
                operand.push_str(word);
                if matches!(word, "(" | "[" | "{") {
                    let inside = until_closed(rest);
                    let closing = bounds::next_word(rest);
                    let end = closing.map_or(rest.len(), |(_, after)| rest.len() - after.len());
                    let operand = chain.operand();
                    operand.push_str(&inside);
                    operand.push_str(&rest[..end]);
                    *rest = &rest[end..];
                }
            }
        }
    }
    // An operator at the end is a mistake that the parser tells.
    if chain.operands.len() == chain.operators.len() && !chain.operators.is_empty() {
        chain.operands.push(String::new());
    }
    out.push_str(&chain.take());
    out
}

/// `1e` before a sign.
fn is_exponent(operand: &str) -> bool {
    let word = operand.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['e', 'E'])
}

#[cfg(test)]
mod tests {
    use super::bounded;

    #[test]
    fn operators_become_filters() {
        for (template, expected) in [
            ("a ~ b {{ a }} {{- -a - 1 -}}", "a ~ b {{ a }} {{- -a - 1 -}}"),
            ("{{ a ~ b.c ~ 'x~y' }}", "{{(( a )|_sidestage_concat( b.c , 'x~y')) }}"),
            (
                "{{ a*-1 if b*2 else c }}",
                "{{(( a)|_sidestage_times(-1)) if(( b)|_sidestage_times(2)) else c }}",
            ),
            ("{{ a + f(b + c) }}", "{{(( a + f(((b + c)|_sidestage_sum)))|_sidestage_sum) }}"),
            ("{{ f(*a, **b) ** 2 // 3 % 4 }}", "{{ f(*a, **b) ** 2 // 3 % 4 }}"),
            ("{{ a ~ b is not none }}", "{{(( a )|_sidestage_concat( b is not none)) }}"),
            ("{% if a ~ b == c %}", "{% if(( a )|_sidestage_concat( b )) == c %}"),
            (
                "{% for call in block + x recursive %}",
                "{% for call in((block + x)|_sidestage_sum)recursive %}",
            ),
            (
                "{{ 'a' ~ call.x }}{% if x %}{% endif %}",
                "{{(( 'a' )|_sidestage_concat( call.x )) }}{% if x %}{% endif %}",
            ),
            ("{{ 1e+5 }}{{ x[-1:] }}{# a ~ b #}", "{{ 1e+5 }}{{ x[-1:] }}{# a ~ b #}"),
        ] {
            let spaced = |text: &str| text.replace(' ', "");
            assert_eq!(spaced(&bounded(template)), spaced(expected));
        }
    }
}
