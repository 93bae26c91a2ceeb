"""What became of the data, as a page: sources, what each step removed, and samples of it."""

from __future__ import annotations

from wicket.lab.data.manifest import Manifest, StepReport
from wicket.pages.bars import Bar, bars
from wicket.pages.parts import Fact, Facts, Figure, Figures, Page, Paragraph, Part, Section, Table
from wicket.pages.render import render
from wicket.pages.scales import Axis


def page(manifest: Manifest) -> str:
    """`report.html`."""
    num_read = sum(source.num_documents for source in manifest.sources)
    num_removed = sum(step.num_removed for step in manifest.steps)
    facts = Facts(
        [
            Fact(f"{num_read:,}", "documents read", f"of {len(manifest.sources)} files"),
            Fact(f"{num_removed:,}", "removed", _share(num_removed, num_read)),
            Fact(f"{sum(s.num_added for s in manifest.steps):,}", "added"),
            Fact(f"{manifest.num_documents:,}", "kept", f"SHA-256 begins {manifest.sha256[:16]}"),
        ]
    )
    sections = [
        Section("What came of it", [facts, *_drawn(manifest)]),
        Section("Where it came from", _sources(manifest)),
        Section("What each step did", [steps_table(manifest)]),
        *(
            Section(f"Removed by {_spoken(step)}", [removed_table(step)])
            for step in manifest.steps
            if step.shown
        ),
    ]
    lead = f"{manifest.num_documents:,} of {num_read:,} documents are left after {len(manifest.steps)} steps."
    return render(Page("Training data", sections, lead=lead, footer="Made by `wicket lab curate`."))


def _drawn(manifest: Manifest) -> list[Part]:
    rows = [
        Bar(step.name.replace("_", " "), float(step.num_removed))
        for step in manifest.steps
        if step.num_removed
    ]
    if not rows:
        return [Paragraph("No step removed anything.")]
    drawn = bars("Documents removed by step", Axis("documents", low=0.0), rows)
    return [Figures([Figure(drawn, "What each step took out.")])]


def _sources(manifest: Manifest) -> list[Part]:
    rows = [
        [
            source.path,
            source.form,
            f"{source.num_documents:,}",
            f"{source.num_broken:,}",
            source.licence,
            source.sha256[:16],
        ]
        for source in (*manifest.sources, *manifest.evaluation)
    ]
    columns = ["file", "form", "documents", "broken lines", "licence", "SHA-256 begins"]
    parts: list[Part] = [Table("Files", columns, rows, [2, 3])]
    broken = [
        [f"{source.path}:{line.line}", line.reason] for source in manifest.sources for line in source.broken
    ]
    if broken:
        parts.append(Table("Lines that could not be read", ["place", "why"], broken))
    return parts


def steps_table(manifest: Manifest) -> Table:
    """What each step removed, changed and added, and why."""
    rows = [
        [
            step.name,
            f"{step.num_before:,}",
            f"{step.num_removed:,}",
            f"{step.num_changed:,}",
            f"{step.num_added:,}",
            f"{step.num_after:,}",
            ", ".join(f"{name} {number}" for name, number in {**step.reasons, **step.found}.items()),
        ]
        for step in manifest.steps
    ]
    columns = ["step", "before", "removed", "changed", "added", "after", "reasons and counts"]
    return Table("Steps, in their order", columns, rows, [1, 2, 3, 4, 5])


def removed_table(step: StepReport) -> Table:
    """The first few documents that a step took out, of every reason."""
    rows = [[each.origin, each.reason, each.where, each.text] for each in step.shown]
    caption = f"Removed by {_spoken(step)}: the first few of each reason"
    return Table(caption, ["place", "why", "clashes with", "text"], rows)


def _spoken(step: StepReport) -> str:
    return step.name.replace("_", " ")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%} of them" if whole else ""
