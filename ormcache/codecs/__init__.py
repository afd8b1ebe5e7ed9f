"""
How do rows become bytes, and bytes rows again? One file per codec, one id byte each.
"""
