"""What `kezuri base` found out, as JSON: docs/base.md describes it."""

from typing import Any

from kezuri.alternatives.values import Advice, Contents, Row


def document(advice: Advice) -> dict[str, Any]:
    """All of it as one object. What is not known is null."""
    base = advice.base
    best = advice.best
    return {
        "version": 1,
        "subject": advice.subject,
        "platform": advice.platform,
        "base": {
            **_row(base.row),
            "name": base.name or None,
            "how": base.how or None,
            "layers": base.layers if base.layers >= 0 else None,
            "dockerfile": base.dockerfile or None,
            "line": base.line or None,
            "refresh": base.refresh,
            "refreshUnknown": base.why or None,
            "official": base.made,
            "newest": None if base.newest is None else _row(base.newest),
        },
        "alternatives": [_row(row) for row in advice.rows],
        "best": None if best is None else best.name,
        "leftOut": advice.left_out,
        "catalogue": advice.catalogue or None,
        "data": [
            {
                "name": data.name,
                "address": data.address,
                "date": data.date or None,
                "fetched": data.fetched or None,
                "entries": data.entries,
            }
            for data in advice.data
        ],
        "noData": advice.no_data or None,
        "told": list(advice.told),
    }


def _row(row: Row) -> dict[str, Any]:
    counts = row.counts
    return {
        "name": row.name,
        "way": row.way,
        "also": list(row.also),
        "absent": row.absent or None,
        "libc": row.libc or None,
        "shell": row.shell if row.contents is not None else None,
        **_contents(row.contents),
        "vulnerabilities": None
        if counts is None
        else {
            "total": counts.total,
            "critical": counts.critical,
            "high": counts.high,
            "medium": counts.medium,
            "low": counts.low,
            "unknown": counts.unknown,
            "fixable": counts.fixable,
            "exploited": counts.exploited,
            "partial": counts.partial,
        },
        "ends": [
            {"title": end.title, "day": end.day, "past": end.past, "extended": end.extended or None, "over": end.over}
            for end in row.ends
        ],
    }


def _contents(contents: Contents | None) -> dict[str, Any]:
    if contents is None:
        return {"digest": None, "created": None, "size": None, "distribution": None, "packages": None, "read": None}
    distribution = contents.distribution
    return {
        "digest": contents.digest or None,
        "created": contents.created or None,
        "size": contents.size,
        "distribution": {"id": distribution.id, "version": distribution.version, "title": distribution.title}
        if distribution.id
        else None,
        "packages": len(contents.packages),
        "read": {"from": contents.source, "bytes": contents.read},
    }
