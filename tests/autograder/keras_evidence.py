"""Evidence made from real Keras models, by the functions with which the sandboxed child describes them."""

from autograder.evidence import Evidence, parse
from autograder.sandbox.guest.channel import Channel, Interrupts
from autograder.sandbox.guest.compilation import compilation_record
from autograder.sandbox.guest.snapshots import ModelTable
from autograder.sandbox.job import PlannedCell
from autograder.sandbox.protocol import Decoder

DRAWN = {"latent-2": 2, "drawn-1": 7}
QUESTIONS = ("build-encoder", "encoder-size", "build-decoder", "decoder-size", "autoencoder", "compile")


def cells(**sources):
    """Return a notebook with one answer cell for each question; ``build_encoder="..."`` gives one its source."""
    written = {name.replace("_", "-"): source for name, source in sources.items()}
    return tuple(
        PlannedCell(index, written.get(question, "answer = 1"), "answer", question, (question,))
        for index, question in enumerate(QUESTIONS)
    )


class Wire:
    """The child's end of a socket whose other end is a list of frames."""

    def __init__(self):
        self.frames = []
        self._decoder = Decoder()

    def setblocking(self, flag):
        pass

    def sendall(self, data):
        self.frames.extend(self._decoder.feed(data))


class Recorder:
    """Describes what a notebook made, cell by cell; ``evidence`` is what the trusted side reads of it."""

    def __init__(self):
        self._wire = Wire()
        self.channel = Channel(self._wire, Interrupts())
        self.models = ModelTable(self.channel)

    def value(self, question, label, **fields):
        record = {"question": question, "label": label, "cell": 0, "kind": "missing", **fields}
        self.channel.record("value", record)

    def model(self, question, label, model, **fields):
        if model is None:
            nothing = {"kind": "other", "type_name": "NoneType", "name": label, "matched": "name"}
            self.value(question, label, **nothing | fields)
        else:
            position = self.models.position(model)
            self.value(question, label, kind="model", model=position, **{"name": label, "matched": "name", **fields})

    def builder(self, question, name, build):
        """Call a builder for each latent dimension, as the probes do."""
        for label, dimension in DRAWN.items():
            fields = {"arguments": [dimension], "name": name, "matched": "name"}
            try:
                model = build(dimension)
            except Exception as error:
                problem = {"type": type(error).__name__, "message": str(error)[:3000]}
                self.value(question, label, kind="error", error=problem, **fields)
            else:
                self.model(question, label, model, **fields)

    def compiler(self, compile_function, plain_model, returned=None):
        """Call the student's compile function on a small model; what it compiles is recorded."""
        import keras

        made = []
        original = keras.Model.compile

        def recording(model, *args, **kwargs):
            named = dict(zip(("optimizer", "loss", "loss_weights", "metrics"), args, strict=False)) | kwargs
            made.append(compilation_record(0, self.models.identities.number(model), named))
            made[-1] |= {"question": "compile", "label": "compile"}
            return original(model, *args, **kwargs)

        keras.Model.compile = recording
        fields = {"arguments": [{"model": "plain"}], "name": "compile_autoencoder", "matched": "name"}
        try:
            compile_function(plain_model)
            fields |= {"kind": "other", "type_name": "NoneType"}
        except Exception as error:
            fields |= {"kind": "error", "error": {"type": type(error).__name__, "message": str(error)[:3000]}}
            if made:
                made[-1]["error"] = fields["error"]
        finally:
            keras.Model.compile = original
        for record in made:
            self.channel.record("compilation", record)
        self.value("compile", "compile", compilations=made, **fields)

    @property
    def evidence(self) -> Evidence:
        evidence = parse(self._wire.frames)
        assert not evidence.malformed, evidence.malformed
        return evidence
