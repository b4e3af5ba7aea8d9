"""Models: a language model as a function from prompts to answers, reached over HTTP or read from a recording.

No model runs in here. A model is an OpenAI-compatible endpoint or a file of recorded responses; which of the two is an
option, never a part of the recipe, and changes no byte of what is made.

The map::

    prompt.py     Prompt, Answer, ModelConfig: what is asked and how; answer_key names an answer
    reply.py      a server's body, believed in nothing, as a text or a problem
    endpoint.py   Endpoint, Patience: HTTP with bounds of bytes and time, attempts, the key from the environment
    recording.py  Recording: answers as JSON lines, append-only; write_requests for batches run elsewhere
    budget.py     Budget, Cost: what asking costs, estimated first; limits that are never passed
    model.py      Model, open_model, Access: the two together

A prompt flows: key -> recorded? -> reserve in the budget -> ask, again after passing failures -> record -> answer.
"""

from instruct.models.budget import BYTES_PER_TOKEN, Budget, Cost, estimated_tokens
from instruct.models.endpoint import Endpoint, Patience
from instruct.models.model import Access, Model, open_model
from instruct.models.prompt import PROBLEMS, Answer, ModelConfig, Prompt, answer_key
from instruct.models.recording import Recording, record_answers, write_requests

__all__ = [
    "BYTES_PER_TOKEN",
    "PROBLEMS",
    "Access",
    "Answer",
    "Budget",
    "Cost",
    "Endpoint",
    "Model",
    "ModelConfig",
    "Patience",
    "Prompt",
    "Recording",
    "answer_key",
    "estimated_tokens",
    "open_model",
    "record_answers",
    "write_requests",
]
