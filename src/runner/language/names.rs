//! What a template reads, known before it is rendered: the names, the filters and the functions, each with its place.
//!
//! By it needs are inferred, and a word that there is none of is told before anything runs. A name that stands for a part
//! of another is not lost sight of: `steps` by itself is a reading of `steps`, which nothing allows.

use minijinja::{
    machinery::{
        self,
        ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt},
    },
    syntax::SyntaxConfig,
};
use std::collections::BTreeSet;

/// A name that is read, such as `steps.review.out.score`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// Its parts.
    pub(super) path: Vec<String>,
    /// Where it begins in the template, in bytes.
    pub(super) at: usize,
    /// Whether it is compared with something as larger or smaller.
    pub(super) is_ordered: bool,
}

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Behind `|`.
    Filter,
    /// Behind `is`.
    Test,
    /// Before `(`.
    Function,
}

/// What a template reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// The names, in order.
    pub(super) readings: Vec<Reading>,
    /// The other words.
    pub(super) words: Vec<(Kind, String, usize)>,
    /// What is not allowed in a template, and where.
    pub(super) refused: Vec<(usize, &'static str)>,
    /// Where values are put in and the text around them is a quotation of the shell, or a comment.
    pub(super) quoted: Vec<usize>,
}

/// What went wrong while a template was read: where, and what.
pub(super) type Fault = (usize, String);

/// What a template reads.
///
/// # Errors
/// When it is none.
pub(super) fn of_template(source: &str) -> Result<Names, Fault> {
    let parsed = machinery::parse(source, "template", SyntaxConfig::default()).map_err(fault)?;
    let mut walker = Walker::default();
    walker.statement(&parsed);
    Ok(walker.names)
}

/// What an expression reads.
///
/// # Errors
/// When it is none.
pub(super) fn of_expression(source: &str) -> Result<Names, Fault> {
    let parsed = machinery::parse_expr(source).map_err(fault)?;
    let mut walker = Walker::default();
    walker.expression(&parsed);
    Ok(walker.names)
}

/// The expression of a template that is exactly one `{{ … }}`.
pub(super) fn only_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    machinery::parse_expr(inner).is_ok().then_some(inner)
}

fn fault(error: minijinja::Error) -> Fault {
    let at = error.range().map_or(0, |range| range.start);
    (at, error.detail().map_or_else(|| error.kind().to_string(), str::to_owned))
}

#[derive(Default)]
struct Walker<'a> {
    names: Names,
    /// Names that stand for something inside the template, by scope.
    locals: Vec<BTreeSet<&'a str>>,
    shell: super::quoting::Quoting,
}

impl<'a> Walker<'a> {
    fn scoped(&mut self, body: impl FnOnce(&mut Self)) {
        self.locals.push(BTreeSet::new());
        body(self);
        self.locals.pop();
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|scope| scope.contains(name))
    }

    fn bind(&mut self, target: &Expr<'a>) {
        match target {
            Expr::Var(var) => {
                if self.locals.is_empty() {
                    self.locals.push(BTreeSet::new());
                }
                self.locals.last_mut().into_iter().for_each(|scope| {
                    scope.insert(var.id);
                });
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item)),
            _ => {}
        }
    }

    fn statements(&mut self, body: &[Stmt<'a>]) {
        body.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitRaw(raw) => self.shell.feed(raw.raw),
            Stmt::EmitExpr(emit) => {
                let at = emit.expr.span().start_offset as usize;
                if self.shell.put_value() {
                    self.names.quoted.push(at);
                }
                self.expression(&emit.expr);
            }
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                self.scoped(|walker| {
                    walker.bind(&each.target);
                    walker.locals.last_mut().into_iter().for_each(|scope| {
                        scope.insert("loop");
                    });
                    each.filter_expr.iter().for_each(|filter| walker.expression(filter));
                    walker.statements(&each.body);
                });
                self.scoped(|walker| walker.statements(&each.else_body));
            }
            Stmt::IfCond(cond) => {
                self.expression(&cond.expr);
                self.scoped(|walker| walker.statements(&cond.true_body));
                self.scoped(|walker| walker.statements(&cond.false_body));
            }
            Stmt::WithBlock(with) => {
                with.assignments.iter().for_each(|(_, value)| self.expression(value));
                self.scoped(|walker| {
                    with.assignments.iter().for_each(|(target, _)| walker.bind(target));
                    walker.statements(&with.body);
                });
            }
            Stmt::Set(set) => {
                self.expression(&set.expr);
                self.bind(&set.target);
            }
            Stmt::SetBlock(set) => {
                self.scoped(|walker| walker.statements(&set.body));
                set.filter.iter().for_each(|filter| self.expression(filter));
                self.bind(&set.target);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.scoped(|walker| walker.statements(&block.body));
            }
            Stmt::AutoEscape(escape) => {
                let at = escape.enabled.span().start_offset as usize;
                self.names
                    .refused
                    .push((at, "values are put in as they are, and quoted in a command: leave autoescape out"));
            }
            Stmt::Do(call) => {
                self.names.refused.push((call.span().start_offset as usize, "a template can't do anything"));
            }
        }
    }

    fn expression(&mut self, expr: &Expr<'a>) {
        match expr {
            Expr::Var(_) | Expr::GetAttr(_) => self.chain(expr),
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.expression(part));
            }
            Expr::UnaryOp(op) => self.expression(&op.expr),
            Expr::BinOp(op) => {
                use BinOpKind::*;
                self.compared([&op.left, &op.right], matches!(op.op, Lt | Lte | Gt | Gte));
            }
            Expr::Compare(compare) => {
                use CompareOpKind::*;
                let ordered = compare.ops.iter().any(|op| matches!(op.op, Lt | Lte | Gt | Gte));
                self.compared(std::iter::once(&compare.expr).chain(compare.ops.iter().map(|op| &op.expr)), ordered);
            }
            Expr::IfExpr(cond) => {
                self.expression(&cond.test_expr);
                self.expression(&cond.true_expr);
                cond.false_expr.iter().for_each(|other| self.expression(other));
            }
            Expr::Filter(filter) => {
                filter.expr.iter().for_each(|inner| self.expression(inner));
                // The place is that of what it is applied to; whoever tells of it looks for the name from there.
                let at = filter.span().start_offset as usize;
                self.names.words.push((Kind::Filter, filter.name.to_owned(), at));
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.expression(&test.expr);
                let at = test.span().start_offset as usize;
                self.names.words.push((Kind::Test, test.name.to_owned(), at));
                self.arguments(&test.args);
            }
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
            }
            Expr::Call(call) => {
                match &call.expr {
                    Expr::Var(var) if !self.is_local(var.id) => {
                        let at = var.span().start_offset as usize;
                        self.names.words.push((Kind::Function, var.id.to_owned(), at));
                    }
                    other => self.expression(other),
                }
                self.arguments(&call.args);
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.expression(part)),
        }
    }

    /// The sides of a comparison, perhaps of which is larger.
    fn compared<'e>(&mut self, sides: impl IntoIterator<Item = &'e Expr<'a>>, is_ordered: bool)
    where
        'a: 'e,
    {
        for side in sides {
            let before = self.names.readings.len();
            self.expression(side);
            if is_ordered && is_plain(side) {
                self.names.readings.iter_mut().skip(before).take(1).for_each(|reading| reading.is_ordered = true);
            }
        }
    }

    fn arguments(&mut self, args: &[CallArg<'a>]) {
        for arg in args {
            match arg {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => {
                    self.expression(value);
                }
            }
        }
    }

    /// A name, with what is read of it.
    fn chain(&mut self, expr: &Expr<'a>) {
        let (mut keys, mut inner) = (Vec::new(), expr);
        while let Expr::GetAttr(attr) = inner {
            keys.push(attr.name.to_owned());
            inner = &attr.expr;
        }
        let Expr::Var(var) = inner else { return self.expression(inner) };
        if !self.is_local(var.id) {
            let path = std::iter::once(var.id.to_owned()).chain(keys.into_iter().rev()).collect();
            self.names.readings.push(Reading { path, at: var.span().start_offset as usize, is_ordered: false });
        }
    }
}

/// Whether it is a name by itself, or one with something to take where there is nothing.
fn is_plain(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Var(_) | Expr::GetAttr(_) => true,
        Expr::Filter(filter) => matches!(filter.name, "default" | "d") && filter.expr.as_ref().is_some_and(is_plain),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Vec<String> {
        of_template(source).expect(source).readings.into_iter().map(|reading| reading.path.join(".")).collect()
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        assert_eq!(
            read("{{ steps.audit.out | fence(inputs.x) }}{% if prev %}{{ prev.a.out }}{% endif %}"),
            ["steps.audit.out", "inputs.x", "prev", "prev.a.out"]
        );
        assert_eq!(
            read("{% for i in steps.a.out %}{{ i.x }} {{ loop.index }}{% endfor %}{{ i }}"),
            ["steps.a.out", "i"]
        );
        assert_eq!(read("{{ steps['a-b'].out }}{{ vars.h[event.type] }}"), ["steps", "vars.h", "event.type"]);
        assert_eq!(read("{% with steps = steps %}{{ steps.b }}{% endwith %}"), ["steps"]);
    }

    #[test]
    fn what_is_compared_in_order_is_known() {
        let names = of_expression("(steps.r.out.score | default(0)) >= inputs.t and a.b == 3").expect("an expression");
        let ordered: Vec<_> = names.readings.iter().map(|reading| reading.is_ordered).collect();
        assert_eq!(ordered, [true, true, false]);
    }

    #[test]
    fn a_value_by_itself_is_told_from_a_text() {
        assert_eq!(only_expression("{{ item.scope }}"), Some(" item.scope "));
        assert_eq!(only_expression("{{ a }} and {{ b }}"), None);
        assert_eq!(only_expression("a {{ b }}"), None);
    }
}
