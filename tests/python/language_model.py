# SPDX-License-Identifier: MIT
"""elman.LanguageModel does what the command does, to the byte."""

import gc
import json
import math
import os
import pickle
import subprocess
import unittest
from pathlib import Path

import numpy as np

import elman
from checks import close, main, make_text, same

ELMAN = os.environ["ELMAN"]
QUICK = {
    "hidden": 16,
    "batch": 4,
    "steps": 10,
    "lr": 0.01,
    "schedule": "constant",
    "epochs": 2,
}
RECIPES = (
    {},
    {"cell": "lstm", "layers": 2, "proj": 8, "dropout": 0.2, "locked": True},
    {"cell": "gru", "reset": "before", "weight_drop": 0.1, "embed": 8},
    {"cell": "none", "context": 3, "activation": "relu"},
    {"level": "word", "min_count": 2, "tie": True, "valid_fraction": 0.2},
    {"level": "byte", "dtype": "f64", "updates": 20, "epochs": None},
    {"cell": "gru", "dtype": "bf16", "updates": 20, "epochs": None},
    {"normalize": "letters", "vocab_size": 12, "max_tokens": 2000},
    {"optimizer": "momentum", "momentum": 0.8, "lr": None, "loss": "sum"},
    {"optimizer": "sgd", "schedule": "step", "gamma": 0.5, "every": 30},
    {"optimizer": "rmsprop", "lr": None, "sampling": "random", "seed": 3},
    {"batch": 4, "shards": 4, "updates": 20, "epochs": None},
    {"back": 25, "cell": "lstm"},
    {"truncation": "random", "cut": 0.3},
    {"truncation": "none", "steps": None},
    {"optimizer": "adamw", "weight_decay": 0.01, "clip": 0.5},
    {"schedule": "cosine", "warmup": 5, "floor": 0.1, "updates": 30},
    {"schedule": "halve", "patience": 1, "valid": "rest.txt", "lr": 0.5},
    {"valid": "rest.txt", "stop_after": 1, "epochs": 6, "lr": 0.3},
)


def command(*words):
    """Runs elman; its stdout."""
    return subprocess.run(
        [ELMAN, *words],
        check=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ).stdout


def options(recipe):
    """A recipe as the command takes it."""
    words = []
    for name, value in recipe.items():
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(str(value))
    return words


def whole(recipe):
    return {
        name: value
        for name, value in {**QUICK, **recipe}.items()
        if value is not None
    }


def same_weights(a, b):
    b = b.state_dict()
    return all((v == b[name]).all() for name, v in a.state_dict().items())


class LanguageModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make_text("book.txt", 150, 1)
        make_text("rest.txt", 40, 2)
        command(
            "train", "book.txt", "-o", "m", "--quiet", *options(whole({}))
        )
        cls.model = elman.LanguageModel.load("m")

    def test_trains_as_the_command(self):
        for recipe in RECIPES:
            recipe = whole(recipe)
            command(
                "train", "book.txt", "-o", "theirs", "--quiet",
                *options(recipe),
            )
            model = elman.LanguageModel.train(
                "book.txt", output=Path("ours"), **recipe
            )
            self.assertEqual(
                Path("ours").read_bytes(), Path("theirs").read_bytes(), recipe
            )
            model.save("again")
            self.assertEqual(
                Path("again").read_bytes(), Path("theirs").read_bytes()
            )
            theirs = json.loads(command("eval", "theirs", "rest.txt", "--json"))
            ours = model.evaluate("rest.txt")
            for name, value in theirs.items():
                self.assertEqual(getattr(ours, name), value, (name, recipe))
            for way in (
                {},
                {"prompt": "the time ", "seed": 4, "length": 60},
                {"prompt": "the lamp", "top_k": 3, "temperature": 1.5},
                {"top_p": 0.7, "seed": 5, "allow_unk": True},
                {"greedy": True, "length": 30},
            ):
                out = command("sample", "theirs", *options(way)).decode(
                    "utf-8", "replace"
                )
                said = model.sample(**way)
                end = "" if said.endswith("\n") or not said else "\n"
                self.assertEqual(said + end, out, (way, recipe))

    def test_the_defaults_are_the_command_s(self):
        command("train", "book.txt", "-o", "theirs", "--quiet",
                "--updates", "2")
        elman.LanguageModel.train("book.txt", output="ours", updates=2)
        self.assertEqual(
            Path("ours").read_bytes(), Path("theirs").read_bytes()
        )
        command("train", "book.txt", "-o", "theirs", "--quiet",
                "--epochs", "1", "--level", "word", "--batch", "2")
        elman.LanguageModel.train(
            "book.txt", output="ours", epochs=1, level="word", batch=2
        )
        self.assertEqual(
            Path("ours").read_bytes(), Path("theirs").read_bytes()
        )

    def test_reports(self):
        reports = []
        elman.LanguageModel.train(
            ["book.txt", "rest.txt"],
            callback=reports.append,
            **whole({"valid_fraction": 0.2}),
        )
        self.assertEqual(
            [r.update for r in reports], list(range(1, len(reports) + 1))
        )
        last = reports[-1]
        self.assertEqual((last.update, last.epoch), (last.total_updates, 2))
        self.assertTrue(last.epoch_end)
        self.assertEqual(last.perplexity, math.exp(last.loss))
        self.assertIsNotNone(last.valid_loss)
        self.assertIsNone(reports[0].valid_loss)
        self.assertIsNone(reports[0].best_epoch)
        self.assertLess(last.epoch_loss, reports[0].loss)

    def test_a_callback_ends_the_run(self):
        seen = []

        def callback(report):
            seen.append(report.update)
            return report.update < 3

        recipe = whole({"updates": 3, "epochs": None})
        elman.LanguageModel.train(
            "book.txt", output="ours", callback=callback, **whole({})
        )
        self.assertEqual(seen, [1, 2, 3])
        elman.LanguageModel.train("book.txt", output="theirs", **recipe)
        a, b = (elman.LanguageModel.load(p) for p in ("ours", "theirs"))
        for name, value in a.state_dict().items():
            np.testing.assert_array_equal(value, b.state_dict()[name])

    def test_goes_on_where_it_was_left(self):
        recipe = whole({"cell": "gru", "valid_fraction": 0.1})

        def leave(report):
            if report.update == 30:
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            elman.LanguageModel.train(
                "book.txt",
                checkpoint="kept",
                checkpoint_every=7,
                callback=leave,
                **recipe,
            )
        self.assertTrue(os.path.exists("kept.1"))
        updates = []
        elman.LanguageModel.train(
            "book.txt",
            output="ours",
            resume="kept",
            callback=lambda r: updates.append(r.update),
        )
        self.assertEqual(updates[0], 31)
        elman.LanguageModel.train("book.txt", output="theirs", **recipe)
        self.assertEqual(
            Path("ours").read_bytes(), Path("theirs").read_bytes()
        )
        # The command goes on from it as well.
        command("train", "book.txt", "-o", "theirs", "--quiet",
                "--resume", "kept")
        self.assertEqual(
            Path("ours").read_bytes(), Path("theirs").read_bytes()
        )
        # Where the newest one is damaged, the one before it serves.
        Path("kept").write_bytes(b"damaged")
        with self.assertWarnsRegex(UserWarning, "going on from kept.1"):
            elman.LanguageModel.train("book.txt", output="ours", resume="kept")
        self.assertEqual(
            Path("ours").read_bytes(), Path("theirs").read_bytes()
        )
        with self.assertRaises(ValueError):
            elman.LanguageModel.train("book.txt", resume="kept", min_count=2)
        for wrong in ({"hidden": 17}, {"level": "word"}, {"seed": 9}):
            with self.assertRaises(elman.MismatchError, msg=str(wrong)):
                elman.LanguageModel.train("book.txt", resume="kept", **wrong)

    def test_goes_on_from_a_model(self):
        recipe = {"updates": 9, "batch": 4, "steps": 10, "dropout": 0.2}
        train = elman.LanguageModel.train
        for dtype in ({}, {"dtype": "f64"}, {"dtype": "bf16"}):
            command(
                "train", "rest.txt", "--from", "m", "-o", "theirs", "--quiet",
                *options({**recipe, **dtype}),
            )
            for begin in ("m", Path("m"), self.model):
                model = train(
                    "rest.txt", output="ours", from_=begin,
                    **recipe, **dtype,
                )
                self.assertEqual(
                    Path("ours").read_bytes(), Path("theirs").read_bytes()
                )
        self.assertEqual(model.history["from"]["updates"],
                         self.model.history["updates"])
        self.assertEqual(model.vocabulary, self.model.vocabulary)
        for wrong in (
            {"hidden": 16}, {"level": "char"}, {"min_count": 2},
            {"tie": False}, {"resume": "m"}, {"gamma": 0.1},
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                train("rest.txt", from_=self.model, **wrong)
        with self.assertRaises(OSError):
            train("rest.txt", from_="not there")

    def test_what_is_not_finite(self):
        # Two updates at a rate that no float32 can hold, and then good ones.
        wild = whole({
            "optimizer": "sgd", "lr": 1e39, "schedule": "step", "every": 2,
            "gamma": 1e-39, "updates": 6, "epochs": None,
        })
        with self.assertRaisesRegex(elman.NonfiniteError, "update 1: "):
            elman.LanguageModel.train("book.txt", **wild)
        reports = []
        elman.LanguageModel.train(
            "book.txt", on_nonfinite="skip", callback=reports.append, **wild
        )
        self.assertEqual(
            [r.skipped for r in reports], [True] * 2 + [False] * 4
        )
        self.assertTrue(reports[0].nonfinite.startswith("rnn."))
        self.assertIsNone(reports[2].nonfinite)

    def test_what_it_knows(self):
        model = self.model
        self.assertEqual(
            (model.cell, model.level, model.hidden_size, model.num_layers),
            ("elman", "char", 16, 1),
        )
        self.assertEqual(model.vocabulary[0], b"<unk>")
        self.assertEqual(len(model.vocabulary), len(model))
        weights = model.state_dict()
        self.assertEqual(
            weights["rnn.weight_ih_l0"].shape, (16, len(model))
        )
        self.assertEqual(
            sum(v.size for v in weights.values()), model.num_parameters()
        )
        with self.assertRaises(ValueError):
            weights["decoder.bias"][0] = 1
        self.assertTrue(model.history)
        ids = model.encode("the lamp")
        self.assertEqual(
            b"".join(model.vocabulary[i] for i in ids), b"the lamp"
        )
        self.assertIn("elman, 1 x 16", repr(model))

    def test_its_weights_are_what_it_computes_with(self):
        """Perplexity, from state_dict and nothing else."""
        w = {n: v.astype(float) for n, v in self.model.state_dict().items()}
        text = Path("rest.txt").read_text(encoding="utf-8")
        ids = self.model.encode(text)
        h, nats = np.zeros(16), 0.0
        for now, then in zip(ids[:-1], ids[1:]):
            h = np.tanh(
                w["rnn.weight_ih_l0"][:, now]
                + w["rnn.bias_ih_l0"]
                + w["rnn.bias_hh_l0"]
                + w["rnn.weight_hh_l0"] @ h
            )
            logits = w["decoder.weight"] @ h + w["decoder.bias"]
            nats += np.log(np.exp(logits).sum()) - logits[then]
        close(
            self,
            self.model.perplexity("rest.txt"),
            np.exp(nats / (len(ids) - 1)),
            1e-5,
        )

    def test_learns_as_the_command(self):
        for recipe, way in (
            ({}, {}),
            ({"cell": "gru"}, {"lr": 0.002, "steps": 7, "pull": 0.01}),
            ({"cell": "none"}, {"optimizer": "sgd", "clip": 0}),
            ({"cell": "lstm", "dropout": 0.3}, {"optimizer": "momentum"}),
            ({"dtype": "f64"}, {"optimizer": "adam", "steps": 50}),
            ({"dtype": "bf16"}, {"optimizer": "adamw", "lr": 0.003}),
            ({"level": "word"}, {"lr": 0}),
        ):
            recipe = whole({**recipe, "updates": 20, "epochs": None})
            model = elman.LanguageModel.train("book.txt", output="l", **recipe)
            theirs = json.loads(
                command(
                    "eval", "l", "rest.txt", "--json", "--dynamic",
                    *options(way),
                )
            )
            learner = model.learner(**way)
            ours = learner.evaluate("rest.txt")
            self.assertEqual(learner.updates, theirs.pop("updates"), way)
            for name, value in theirs.items():
                self.assertEqual(getattr(ours, name), value, (name, way))
            # The model itself stays as it is.
            self.assertEqual(
                model.perplexity("rest.txt"),
                elman.LanguageModel.load("l").perplexity("rest.txt"),
            )

            # The same stream by hand, and once more, however it is cut.
            ids = model.encode(Path("rest.txt").read_text(encoding="utf-8"))
            learner.reset()
            self.assertEqual(learner.updates, 0)
            first = learner.read(ids)
            self.assertEqual(first[0], 0)
            self.assertEqual(
                sum(first.tolist()) / ours.tokens, ours.nats_per_token
            )
            learner.save("learned")
            self.assertEqual(
                way.get("lr") == 0,
                same_weights(model, elman.LanguageModel.load("learned")),
            )
            learner.reset()
            learner.save("again")
            self.assertEqual(
                Path("again").read_bytes(), Path("l").read_bytes(), recipe
            )
            cut = [learner.read(part) for part in np.split(ids, [1, 40, 40])]
            same(self, np.concatenate(cut), first, way)

    def test_what_a_learner_foretells(self):
        learner = elman.LanguageModel.load("m", threads=2).learner(lr=0.01)
        gc.collect()
        with self.assertRaises(elman.InvalidError):
            learner.next()
        text = "the lamp and the door and the lamp"
        each = []
        for id in self.model.encode(text).tolist():
            if each:
                logits = learner.next()
                self.assertEqual(logits.shape, (len(self.model),))
                wanted = np.log(np.exp(logits - logits[id]).sum())
            each += learner.read(id if id % 2 else [id]).tolist()
            if len(each) > 1:
                close(self, each[-1], wanted, 1e-5)
        self.assertEqual(learner.updates, 1)
        learner.begin()
        anew = learner.read(text)
        self.assertEqual(anew[0], 0)
        self.assertLess(anew.sum(), sum(each))
        same(self, learner.read([]), np.empty(0))
        before = learner.updates
        for wrong, error in (
            ([len(self.model)], elman.InvalidError),
            ([-1], elman.InvalidError),
            ([1 << 40], elman.InvalidError),
            ([[1, 2]], ValueError),
            (1.5, TypeError),
            (None, TypeError),
        ):
            with self.assertRaises(error, msg=str(wrong)):
                learner.read(wrong)
        self.assertEqual(learner.updates, before)
        with self.assertRaises(TypeError):
            pickle.dumps(learner)

        for wrong in (
            {"optimizer": "newton"},
            {"lr": -1},
            {"lr": math.nan},
            {"pull": 2},
            {"clip": -1},
            {"steps": 0},
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                self.model.learner(**wrong)
        with self.assertRaises(TypeError):
            self.model.learner(steps=1.5)
        self.model.save("m.safetensors")
        command(
            "convert", "m.safetensors", "b.safetensors", "--weights", "int8"
        )
        with self.assertRaisesRegex(elman.InvalidError, "INT8"):
            elman.LanguageModel.load("b.safetensors").learner()
        wild = self.model.learner(optimizer="sgd", lr=1e39, clip=0, steps=5)
        with self.assertRaises(elman.NonfiniteError):
            wild.read(text)
        with self.assertRaises(elman.InvalidError):
            wild.read(text)
        wild.begin()
        wild.read(text[:3])
        with self.assertRaises(ValueError):
            Path("one.txt").write_text("t", encoding="utf-8")
            learner.evaluate("one.txt")

    def test_mistakes(self):
        train, load = elman.LanguageModel.train, elman.LanguageModel.load
        with self.assertRaises(OSError) as caught:
            load("not there")
        self.assertEqual(caught.exception.status, "ELMAN_EIO")
        self.assertIn("not there", str(caught.exception))
        with self.assertRaises(elman.FormatError):
            load("book.txt")
        with self.assertRaises(ValueError):
            load("a\0b")
        Path("bad.txt").write_bytes(b"good\nbad \xff\n")
        with self.assertRaises(elman.TextError) as caught:
            train("bad.txt")
        self.assertIn("bad.txt: line 2", str(caught.exception))
        with self.assertRaises(elman.TextError):
            self.model.perplexity("bad.txt")
        with self.assertRaises(OSError):
            train("not there.txt")
        with self.assertRaises(OSError):
            self.model.save("no folder/m")
        for wrong in (
            {"cell": "transformer"},
            {"momentum": 0.5},
            {"context": 3},
            {"locked": True},
            {"epochs": 0},
            {"hidden": 0},
            {"batch": -1},
            {"cell": "lstm", "proj": 256},
            {"tie": True, "embed": 3},
            {"schedule": "halve"},
            {"valid": "rest.txt", "valid_fraction": 0.5},
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                train("book.txt", **wrong)
        for wrong in (
            {"temperature": 0},
            {"top_p": 2},
            {"prompt": ""},
            {"top_k": -1},
            {"length": -1},
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                self.model.sample(**{"length": 3, **wrong})
        with self.assertRaises(TypeError):
            train("book.txt", layrs=3)
        with self.assertRaises(ValueError):
            train([])
        before = Path("book.txt").read_bytes()
        for place in ("output", "checkpoint"):
            with self.assertRaises(ValueError):
                train("book.txt", **{place: "./book.txt"})
            with self.assertRaises(OSError):
                train("book.txt", **{place: "no folder/m"})
        self.assertEqual(Path("book.txt").read_bytes(), before)

    def test_pickles(self):
        other = pickle.loads(pickle.dumps(self.model))
        self.assertEqual(
            other.sample(length=20, seed=1), self.model.sample(length=20, seed=1)
        )


if __name__ == "__main__":
    main()
