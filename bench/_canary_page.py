CHOICE_SCENARIOS = ()


def write(bench, seen, tallies, judges):

    for s in seen:
        row = []
        for j in judges:
            t = tallies[s.name, j, ""]
            row.append(f"{100 * t.rolled:5.1f}% {t.time_s(50):6.0f}/{t.time_s(95):6.0f}")
        t = tallies[s.name, judges[0], ""]
        print(
            f"{s.name[:52]:52} ask {100 * t.asked / t.trials:5.1f} pass {100 * t.passed / t.trials:5.1f} | "
            + " | ".join(row)
        )
