# SPDX-License-Identifier: MIT
"""The official OpenAI SDK for Node against a host."""
import openai_sdk

openai_sdk.main("node")
