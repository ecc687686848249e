from tests.inline_worker import worker as worker
