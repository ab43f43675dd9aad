"""The default model of dnsp, told nothing."""

import sys

import dnsp


def main(source, target, *factors):
    if factors == ("2", "2", "1"):
        sharp = dnsp.enhance(source, scale=2)
    else:
        spacing = dnsp.read_scan(source).spacing_mm
        fine = tuple(mm / int(factor) for mm, factor in zip(spacing, factors, strict=True))
        sharp = dnsp.enhance(source, spacing_mm=fine)
    sharp.save(target, overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
