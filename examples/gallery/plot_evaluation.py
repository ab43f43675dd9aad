"""
Evaluate with intervals
=======================

Compare methods on several subjects, and say how sure the difference is. The unit is the subject: slices of one head are
not independent of each other.
"""

# %%
# Six subjects
# ------------
# Procedural heads stand in for scans. They do not look like real heads in detail, so the figures are an illustration.

import matplotlib.pyplot as plt

import dnsp
from dnsp.metrics import adjust_holm, fit_crossed_model, paired_student_interval
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head

methods = {
    "bicubic": {"method": "bicubic"},
    "spline": {"method": "spline"},
    "default model": {"blur": 1.0},  # the blur is known here
}
psnr_db = {name: {} for name in methods}
for number in range(6):
    subject = f"sub-{number:02d}"
    labels = make_label_map(shape=(96, 112, 24), spacing_mm=(1.8, 1.8, 4.0), seed=number)
    head = simulate_head(labels, sequence=BRAINWEB_T1, subject_id=subject, noise_percent=1)
    scan = dnsp.degrade_volume(head, scale=2)
    for name, settings in methods.items():
        estimate = dnsp.enhance(scan, scale=2, **settings)
        report = dnsp.evaluate(head, estimate, slices=6)
        psnr_db[name][subject] = report.psnr_db
for name in methods:
    print(f"{name:13}", " ".join(f"{value:.2f}" for value in psnr_db[name].values()), "dB")

# %%
# Differences within a subject
# ----------------------------
# Heads differ more than methods do, so each subject is compared with itself.

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
others = ["spline", "default model"]
for position, name in enumerate(others):
    gains = [psnr_db[name][subject] - psnr_db["bicubic"][subject] for subject in psnr_db[name]]
    mean = sum(gains) / len(gains)
    low, high = paired_student_interval(psnr_db[name], psnr_db["bicubic"])
    print(f"{name} - bicubic: {mean:+.2f} dB, 95 % interval {low:+.2f} to {high:+.2f}")
    axis.plot(gains, [position] * len(gains), "o", alpha=0.5)
    axis.errorbar(mean, position + 0.2, xerr=[[mean - low], [high - mean]], fmt="k|", capsize=4)
axis.axvline(0, color="0.6")
axis.set(yticks=[0, 1], yticklabels=others, ylim=(-0.5, 1.5), xlabel="PSNR minus that of bicubic (dB)")

# %%
# Several trainings
# -----------------
# A trained network differs from seed to seed. `dnsp.metrics.fit_crossed_model` takes one gain for each subject and training
# and gives one interval for both. These gains are made up: three trainings whose means differ by 0.1 dB.

gains_of_trainings = {
    (subject, training): gain + shift
    for subject, gain in zip(psnr_db["spline"], (0.31, 0.22, 0.40, 0.18, 0.27, 0.35), strict=True)
    for training, shift in enumerate((-0.1, 0.0, 0.1))
}
model = fit_crossed_model(gains_of_trainings)
print(
    f"mean {model.mean:+.2f} dB, 95 % interval {model.interval.low:+.2f} to {model.interval.high:+.2f}, p {model.p:.3f}"
)
print(f"standard deviation: subjects {model.subject_sd:.2f}, trainings {model.training_sd:.2f} dB")

# %%
# Where several variants are compared, adjust the p values for their number.

adjusted = adjust_holm({"variant A": 0.012, "variant B": 0.03, "variant C": 0.4})
print({name: round(p, 3) for name, p in adjusted.items()})

# %%
# .. seealso:: :doc:`/statistics`, :doc:`/evaluate`
