# SPDX-License-Identifier: MIT
"""The official OpenAI SDK for Python against a host."""
import openai_sdk

openai_sdk.main("python")
